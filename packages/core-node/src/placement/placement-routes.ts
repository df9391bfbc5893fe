import { apiRoutes, type ComputeNode, hasPublicPool, type VmKind, vmIpv6 } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import { serve } from '../api/serve.ts'
import type { Placement } from './placement.ts'
import type { Assignment } from './plan.ts'
import { type NodePlan, planListOf } from './plan-pusher.ts'
import { vmTypeOf } from './scheduler-views.ts'
import type { WorkloadKind } from './workloads.ts'

const periodSeconds = 60

/**
 * The scheduler's read API on every core node (protocol 06 §7.1): where a VM runs, the whole plan, the compute nodes.
 *
 * @example
 * ```ts
 * await server.register(placementRoutes(placement))
 * // GET /api/v0/allocation/<vm hash>
 * ```
 */
export function placementRoutes(placement: Placement): (server: FastifyInstance) => Promise<void> {
  return async (server) => {
    serve(server, apiRoutes.getAllocation, ({ params: { vm_hash }, reply }) => {
      const assignment = placement.assignmentOf(vm_hash)
      const node = linkedNodes(placement).find(({ hash }) => hash === assignment?.computeNode)
      if (!assignment || !node) {
        const reasons = placement.homelessReasons(vm_hash)
        const error = 'No node is assigned to run this VM'
        return reply.code(404).send({ error, code: 'not_allocated', ...(reasons && { reasons }) })
      }
      return {
        vm_hash,
        vm_type: vmTypeOf[assignment.workload.kind],
        vm_ipv6: guestIpv6(assignment, placement),
        period: period(),
        node: describe(node, placement),
        core_node: assignment.coreNode,
        since: assignment.since,
      }
    })

    serve(server, apiRoutes.getPlan, () => {
      const plan: Record<string, NodePlan & { jobs: string[] }> = {}
      for (const { hash } of linkedNodes(placement)) {
        plan[hash] = { persistent_vms: [], instances: [], on_demand_vms: [], jobs: [], v_programs: [] }
      }
      for (const { workload, computeNode } of placement.assignments()) {
        plan[computeNode]?.[planListOf[workload.kind]].push(workload.hash)
      }
      return { period: period(), plan }
    })

    serve(server, apiRoutes.listComputeNodes, () => ({
      nodes: linkedNodes(placement).map((node) => describe(node, placement)),
    }))
  }
}

function linkedNodes(placement: Placement): ComputeNode[] {
  return (placement.corechannel?.resource_nodes ?? []).filter((node) => node.status === 'linked')
}

function describe(node: ComputeNode, placement: Placement) {
  const report = placement.current.reports.get(node.hash)
  return {
    node_id: node.hash,
    url: node.address,
    supports_ipv6: report !== undefined && hasPublicPool(report),
  }
}

const ipv6KindOf = {
  on_demand_program: 'microvm',
  persistent_program: 'persistent-program',
  instance: 'instance',
  v_program: 'v-program',
} as const satisfies Record<WorkloadKind, VmKind>

/** A VM's address follows from its node's pool (protocol 06 §7.6); undefined where the internet cannot reach it. */
function guestIpv6({ workload, computeNode }: Assignment, placement: Placement): string | undefined {
  const report = placement.current.reports.get(computeNode)
  if (!report?.ipv6_pool || !hasPublicPool(report)) return undefined
  return vmIpv6(report.ipv6_pool, ipv6KindOf[workload.kind], workload.hash).address
}

function period() {
  const start = Math.floor(Date.now() / 1000 / periodSeconds) * periodSeconds
  return { start_timestamp: new Date(start * 1000).toISOString(), duration_seconds: periodSeconds }
}
