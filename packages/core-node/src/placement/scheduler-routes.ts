import {
  apiRoutes,
  type ComputeNode,
  explainPlacement,
  noRequirements,
  placeVm,
  type SchedulerVm,
} from '@aleph-ts/protocol'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import type pg from 'pg'
import { ApiError } from '../api/api-error.ts'
import { serve } from '../api/serve.ts'
import { findEndedVm, loadEndedVms } from './ended-vms.ts'
import type { Placement } from './placement.ts'
import type { PlacementEvent } from './placement-history.ts'
import { endedSchedulerVm, schedulerNode, schedulerVm } from './scheduler-views.ts'
import type { Workload } from './workloads.ts'

/** Bytes that may wait for one slow listener before it is let go. */
const mostWaiting = 1024 * 1024
const mostSockets = 1000

/** The scheduler's API below `/scheduler`, answered by every core node alike (protocol 06 §7.1, §7.2). */
export function schedulerRoutes(
  placement: Placement,
  pool: pg.Pool,
): (server: FastifyInstance) => Promise<void> {
  const nodes = () => placement.corechannel?.resource_nodes ?? []
  const workload = (hash: string): Workload => {
    const found = placement.current.workloads.find((each) => each.hash === hash)
    if (!found) throw new ApiError(404, 'not_found', `No VM ${hash} is known here`)
    return found
  }
  const isWorkload = (hash: string) => placement.current.workloads.some((each) => each.hash === hash)
  const computeNode = (hash: string): ComputeNode => {
    const found = nodes().find((each) => each.hash === hash)
    if (!found) throw new ApiError(404, 'not_found', `No compute node ${hash} is registered`)
    return found
  }
  const options = (vm?: Workload) => {
    const { reports, ledger, policy } = placement.current
    return { reports, ledger, policy, refuse: (node: ComputeNode) => placement.refusalOf(node, vm) }
  }

  return async (server) => {
    server.get('/scheduler/health', async () => ({ status: 'ok' }))

    serve(server, apiRoutes.simulatePlacement, ({ query, reply }) => {
      const { vcpus, memory: memoryMib, disk: diskMib } = query
      const uses = { vcpus, memoryMib, diskMib, pool: 'instance' as const, isResident: true }
      const empty = { nodes: [], resource_nodes: [] }
      const place = placeVm('', { ...noRequirements, uses }, placement.corechannel ?? empty, options())
      if (!('unschedulable' in place)) return { schedulable: true, reasons: [] }
      const reasons = Object.keys(place.unschedulable)
      const error = `No compute node takes it: ${reasons.join(', ')}`
      return reply.code(503).send({ schedulable: false, reasons, error, code: 'unschedulable' })
    })

    serve(server, apiRoutes.getSchedulerStats, () => {
      const { workloads, reports, assignments } = placement.current
      const reported = [...reports.values()]
      return {
        total_vms: workloads.length,
        total_nodes: nodes().length,
        healthy_nodes: nodes().filter((node) => placement.refusalOf(node) === null && reports.has(node.hash))
          .length,
        total_vcpus_allocated: [...assignments.values()]
          .map(({ workload: { requirements } }) => requirements.uses)
          .reduce((sum, { vcpus, isResident }) => sum + (isResident ? vcpus : 0), 0),
        total_vcpus_capacity: reported.reduce((sum, { caps }) => sum + caps.vcpus, 0),
      }
    })

    serve(server, apiRoutes.listSchedulerVms, async ({ query }) => {
      const owners = query.owners?.split(',') ?? (query.owner === undefined ? undefined : [query.owner])
      const candidates = placement.current.workloads.filter(
        (each) =>
          (owners === undefined || owners.includes(each.owner)) &&
          (query.sender === undefined || each.sender === query.sender) &&
          each.hash.startsWith(query.vmHash ?? '') &&
          (query.hasGpu === undefined || query.hasGpu === each.gpus.length > 0) &&
          (query.node === undefined || placement.assignmentOf(each.hash)?.computeNode === query.node),
      )
      const wanted = candidates
        .map((each) => schedulerVm(each, placement))
        .filter((vm) => isWanted(vm, query))
      const start = (query.page - 1) * query.pageSize
      const items = wanted.slice(start, start + query.pageSize)
      if (!mayHaveEnded(query)) return pageOf(items, wanted.length, query)
      // What was wanted once comes after what is.
      const ended = await loadEndedVms(
        pool,
        { owners, sender: query.sender, prefix: query.vmHash, among: amongSeen(query.status, placement) },
        { skip: Math.max(0, start - wanted.length), limit: query.pageSize - items.length },
      )
      const before = ended.vms.map((vm) => endedSchedulerVm(vm, placement))
      return pageOf([...items, ...before], wanted.length + ended.total, query)
    })
    serve(server, apiRoutes.getSchedulerVm, async ({ params: { hash } }) => {
      const ended = isWorkload(hash) ? undefined : await findEndedVm(pool, hash)
      return ended ? endedSchedulerVm(ended, placement) : schedulerVm(workload(hash), placement)
    })

    serve(server, apiRoutes.explainPlacement, ({ params }) => {
      const vm = workload(params.hash)
      const { hash, requirements } = vm
      const corechannel = placement.corechannel!
      const place = placeVm(hash, requirements, corechannel, options(vm))
      const ranking = 'candidates' in place ? place.candidates.flatMap((each) => each.computeNodes) : []
      const verdicts = explainPlacement(requirements, corechannel, options(vm))
      return {
        vm_hash: hash,
        allocated_node: placement.assignmentOf(hash)?.computeNode ?? null,
        nodes: verdicts.map(({ computeNode: node_hash, coreNode: core_node, reason }) => ({
          node_hash,
          core_node,
          rank: reason === null ? ranking.indexOf(node_hash) : null,
          reason,
        })),
      }
    })

    serve(server, apiRoutes.listIgnoredAllocations, ({ query }) => {
      const ignored = placement.ignoredClaims.map(({ vmHash, owner, computeNode, reason }) => {
        return { vm_hash: vmHash, owner, node_hash: computeNode, reason }
      })
      return paged(ignored, query)
    })

    serve(server, apiRoutes.listVmHistory, async ({ params, query }) => {
      const { entries, total } = await placement.history.page('vm_hash', params.hash, query)
      return pageOf(entries, total, query)
    })

    serve(server, apiRoutes.listSchedulerNodes, ({ query }) => {
      const { hash = '' } = query
      const wanted = nodes()
        .filter((node) => node.hash.startsWith(hash) || node.hash.endsWith(hash))
        .map((node) => schedulerNode(node, placement))
        .filter(
          (node) =>
            (query.status === undefined || node.status === query.status) &&
            (query.supportsIpv6 === undefined || node.supports_ipv6 === query.supportsIpv6) &&
            (query.confidentialComputingEnabled === undefined ||
              node.confidential_computing_enabled === query.confidentialComputingEnabled),
        )
      return paged(wanted, query)
    })
    serve(server, apiRoutes.getSchedulerNode, ({ params }) =>
      schedulerNode(computeNode(params.hash), placement),
    )

    serve(server, apiRoutes.listNodeHistory, async ({ params, query }) => {
      const { entries, total } = await placement.history.page('node_hash', params.hash, query)
      return pageOf(entries, total, query)
    })

    const sockets = new Set<WebSocket>()
    server.addHook('preClose', async () => {
      for (const socket of sockets) socket.close(1001, 'the node is stopping')
    })
    const tell = (event: PlacementEvent) => {
      const text = JSON.stringify(event)
      for (const socket of sockets) {
        if (socket.bufferedAmount > mostWaiting) socket.close(1013, 'too slow')
        else socket.send(text)
      }
    }
    placement.history.events.on('event', tell)
    server.get('/scheduler/api/v1/ws', { websocket: true }, (socket: WebSocket) => {
      if (sockets.size >= mostSockets) return socket.close(1013, 'too many connections')
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
  }
}

interface VmFilter {
  status?: string | undefined
  schedulingStatus?: string | undefined
  cpuArchitecture?: string | undefined
  cpuVendor?: string | undefined
  requiresConfidential?: boolean | undefined
  node?: string | undefined
  hasGpu?: boolean | undefined
}

function isWanted(vm: SchedulerVm, filter: VmFilter): boolean {
  const { status, schedulingStatus, cpuArchitecture, cpuVendor, requiresConfidential } = filter
  return (
    (status === undefined || vm.status === status) &&
    (schedulingStatus === undefined || vm.scheduling_status === schedulingStatus) &&
    (cpuArchitecture === undefined || vm.cpu_architecture === cpuArchitecture) &&
    (cpuVendor === undefined || vm.cpu_vendor === cpuVendor) &&
    (requiresConfidential === undefined || vm.requires_confidential === requiresConfidential)
  )
}

/** Whether VMs that are wanted no more can be meant: little is known of them. */
function mayHaveEnded({ status, schedulingStatus, ...filter }: VmFilter): boolean {
  const { node, cpuArchitecture, cpuVendor, hasGpu, requiresConfidential } = filter
  return (
    (status === undefined || status === 'orphaned' || status === 'unscheduled') &&
    (schedulingStatus === undefined || schedulingStatus === 'unscheduled') &&
    [node, cpuArchitecture, cpuVendor].every((field) => field === undefined) &&
    hasGpu !== true &&
    requiresConfidential !== true
  )
}

/** A VM without a place is orphaned where it is seen, else unscheduled. */
function amongSeen(status: string | undefined, placement: Placement) {
  if (status === undefined) return undefined
  return { hashes: [...placement.watch.observedVms()], isIn: status === 'orphaned' }
}

interface PageQuery {
  page: number
  pageSize: number
}

function paged<T>(items: T[], query: PageQuery) {
  const start = (query.page - 1) * query.pageSize
  return pageOf(items.slice(start, start + query.pageSize), items.length, query)
}

function pageOf<T>(items: T[], total: number, { page, pageSize }: PageQuery) {
  return {
    items,
    pagination: { page, page_size: pageSize, total_items: total, total_pages: Math.ceil(total / pageSize) },
  }
}
