import { classifyHash, vmIpv6 } from '@aleph-ts/protocol'
import type { VmInfo } from '../../supervisor/index.ts'
import type { Allocation, Reconciler } from '../allocations/reconciler.ts'
import { formatTime } from '../time-format.ts'
import type { VmHost } from '../vm-host.ts'
import { vmUsage } from '../vm-usage.ts'

/** Addresses of this node that executions are told with. */
export interface NetworkFacts {
  /** Where forwarded ports are. */
  forwardHost: string
  ipv6Pool: string
}

/** What QEMU's user-mode network gives every guest. */
const guestNetwork = '10.0.2.0/24'
const guestAddress = '10.0.2.15'

/** `GET /about/executions/list`: what runs (protocol 05 §16). Programs have no network device, so no address. */
export function runningExecutions(vms: VmHost, reconciler: Reconciler, facts: NetworkFacts) {
  const running = vms.list().filter(({ state }) => state === 'running')
  // A scheduler that does not find them here would place them again and again.
  const waiting = reconciler.planned().filter((hash) => isWaiting(reconciler.allocation(hash)))
  return Object.fromEntries([
    ...running.map((info) => [
      info.id,
      {
        networking: shortNetworking(info, facts),
        vm_type: vmType(info),
        awaiting_confidential_init: false,
      },
    ]),
    ...waiting.map((id) => [
      id,
      {
        networking: shortNetworking({ id, type: 'instance' }, facts),
        vm_type: 'instance',
        awaiting_confidential_init: true,
      },
    ]),
  ])
}

/** `GET /v2/about/executions/list`: everything known, with how far its start is (protocol 05 §16, 06 §7.5). */
export function allExecutions(vms: VmHost, reconciler: Reconciler, facts: NetworkFacts) {
  const known = new Map(vms.list().map((info) => [info.id, info]))
  const onDemand = new Set(reconciler.onDemand())
  const hashes = new Set([...known.keys(), ...reconciler.planned(), ...onDemand])
  return Object.fromEntries(
    [...hashes].map((hash) => {
      const allocation = reconciler.allocation(hash) ?? (onDemand.has(hash) ? waitsForRequest : undefined)
      return [hash, execution(known.get(hash), allocation, onDemand.has(hash), facts)]
    }),
  )
}

/** `GET /about/executions/records`: one row per VM, as the network's nodes keep them (protocol 05 §18). */
export function executionRecords(vms: VmHost) {
  return Promise.all(vms.list().map(executionRecord))
}

async function executionRecord(info: VmInfo) {
  const usage = await vmUsage(info)
  return {
    vm_hash: info.id,
    time_defined: time(info.definedAt),
    time_started: time(info.startedAt),
    time_stopped: time(info.stoppedAt),
    vcpus: info.vcpus,
    memory: info.memoryMiB,
    vm_type: vmType(info),
    persistent: info.kind === 'persistent',
    starts: info.starts,
    error: info.error ?? null,
    cpu_time_user: usage?.cpuUserSeconds ?? null,
    cpu_time_system: usage?.cpuSystemSeconds ?? null,
    io_read_count: usage?.readCount ?? null,
    io_write_count: usage?.writeCount ?? null,
    io_read_bytes: usage?.readBytes ?? null,
    io_write_bytes: usage?.writeBytes ?? null,
  }
}

const waitsForRequest: Allocation = { state: 'planned', attempts: 0, error: null, nextRetryAt: null }

function execution(
  info: VmInfo | undefined,
  allocation: Allocation | undefined,
  onDemand: boolean,
  facts: NetworkFacts,
) {
  return {
    networking: info ? networking(info, facts) : {},
    status: {
      defined_at: time(info?.definedAt),
      preparing_at: null,
      prepared_at: null,
      starting_at: null,
      started_at: time(info?.startedAt),
      stopping_at: null,
      stopped_at: time(info?.stoppedAt),
    },
    running: info?.state === 'running',
    awaiting_confidential_init: isWaiting(allocation),
    mode: info?.mode ?? 'normal',
    vm_type: info ? vmType(info) : unknownType(allocation, onDemand),
    state: info?.state ?? null,
    start: info?.startKind === undefined ? null : { kind: info.startKind, ms: info.startMs ?? null },
    allocation: allocation
      ? {
          state: allocation.state,
          attempts: allocation.attempts,
          error: allocation.error,
          next_retry_at: allocation.nextRetryAt === null ? null : formatTime(allocation.nextRetryAt / 1000),
        }
      : null,
  }
}

function shortNetworking(info: Pick<VmInfo, 'id' | 'type' | 'link'>, { ipv6Pool }: NetworkFacts) {
  if (info.type !== 'instance') return { ipv4: '', ipv6: '' }
  return { ipv4: info.link?.ipv4.network ?? guestNetwork, ipv6: ipv6Of(info, ipv6Pool)?.network ?? '' }
}

/** An instance's addresses; the IPv6 ones by the network's formula, though without a link nothing is routed to them. */
function networking(info: VmInfo, { forwardHost, ipv6Pool }: NetworkFacts) {
  if (info.type !== 'instance') return {}
  const ipv6 = ipv6Of(info, ipv6Pool)
  const ports = (info.forwards ?? []).map(({ guest, host, tcp, udp }) => [guest, { host, tcp, udp }])
  return {
    ipv4_network: info.link?.ipv4.network ?? guestNetwork,
    host_ipv4: forwardHost,
    ipv6_network: ipv6?.network ?? null,
    ipv6_ip: ipv6?.address ?? null,
    ipv4_ip: info.link?.ipv4.address ?? guestAddress,
    mapped_ports: Object.fromEntries(ports),
  }
}

/** Null for a hash the formula does not take. */
function ipv6Of({ id }: Pick<VmInfo, 'id'>, pool: string) {
  return classifyHash(id) === 'storage' ? vmIpv6(pool, 'instance', id) : null
}

/** Of a VM that never started: only instances wait for their owners. */
function unknownType(allocation: Allocation | undefined, onDemand: boolean): string {
  if (isWaiting(allocation)) return 'instance'
  return onDemand ? 'microvm' : 'persistent_program'
}

function isWaiting(allocation: Allocation | undefined): boolean {
  return allocation?.state === 'waiting'
}

function vmType({ type, kind }: VmInfo): string {
  if (type === 'instance') return 'instance'
  return kind === 'persistent' ? 'persistent_program' : 'microvm'
}

function time(epochSeconds: number | undefined): string | null {
  return epochSeconds === undefined ? null : formatTime(epochSeconds)
}
