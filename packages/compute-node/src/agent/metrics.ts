import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { VmHost } from './vm-host.ts'
import { type VmUsage, vmUsage } from './vm-usage.ts'

const START_BUCKETS = [0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10, 30, 60]
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const usageFigures: [name: string, help: string, figure: (usage: VmUsage) => number | null][] = [
  ['cpu_seconds', 'Processor time since its start', (usage) => usage.cpuUserSeconds + usage.cpuSystemSeconds],
  [
    'memory_bytes',
    'Memory its process holds, pages shared with other VMs included',
    (usage) => usage.memoryBytes,
  ],
  ['disk_read_bytes', 'Read from disks since its start', (usage) => usage.readBytes],
  ['disk_written_bytes', 'Written to disks since its start', (usage) => usage.writeBytes],
  ['network_received_bytes', 'Received on its link', (usage) => usage.network?.receivedBytes ?? null],
  ['network_sent_bytes', 'Sent on its link', (usage) => usage.network?.sentBytes ?? null],
]

/** What this node tells Prometheus at `/metrics`. Durations in seconds, from the node's side. */
export class AgentMetrics {
  readonly registry = new Registry()
  readonly requests: Counter<'status'>
  readonly firstByte: Histogram
  readonly starts: Histogram<'kind'>
  readonly refusals: Counter<'code'>
  readonly downloadedBytes: Counter
  readonly egressConnections: Counter<'outcome'>
  readonly triggers: Counter<'outcome'>

  constructor(vms: VmHost) {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry })
    this.requests = new Counter({
      name: 'aleph_program_requests_total',
      help: 'Program calls by status class of the answer',
      labelNames: ['status'],
      registers,
    })
    this.firstByte = new Histogram({
      name: 'aleph_program_first_byte_seconds',
      help: "Time from the request's arrival to the first byte of the answer, starts included",
      buckets: REQUEST_BUCKETS,
      registers,
    })
    this.starts = new Histogram({
      name: 'aleph_vm_start_seconds',
      help: 'Time from the wish to start a VM to its program listening',
      labelNames: ['kind'],
      buckets: START_BUCKETS,
      registers,
    })
    this.refusals = new Counter({
      name: 'aleph_refusals_total',
      help: 'Calls the node answered itself, by error code',
      labelNames: ['code'],
      registers,
    })
    this.downloadedBytes = new Counter({
      name: 'aleph_downloaded_bytes_total',
      help: 'Bytes of verified files downloaded from core nodes',
      registers,
    })
    this.egressConnections = new Counter({
      name: 'aleph_egress_connections_total',
      help: 'Outgoing connections of guests, by outcome',
      labelNames: ['outcome'],
      registers,
    })
    this.triggers = new Counter({
      name: 'aleph_program_messages_total',
      help: 'Messages that programs subscribed to, by outcome: answered, failed, dropped',
      labelNames: ['outcome'],
      registers,
    })
    new Gauge({
      name: 'aleph_vms',
      help: 'VMs this node knows, by state and kind',
      labelNames: ['state', 'kind'],
      registers,
      collect() {
        this.reset()
        for (const { state, kind } of [...vms.list(), ...vms.replicas()]) this.inc({ state, kind })
      },
    })
    // All figures of one answer come from one look at the processes.
    let looking: Promise<{ vm: string; usage: VmUsage | null }[]> | null = null
    const look = () => {
      const known = [...vms.list(), ...vms.replicas()]
      looking ??= Promise.all(
        known.map(async (info) => ({ vm: info.id, usage: await vmUsage(info) })),
      ).finally(() => {
        looking = null
      })
      return looking
    }
    for (const [name, help, figure] of usageFigures) {
      new Gauge({
        name: `aleph_vm_${name}`,
        help: `${help}, by VM`,
        labelNames: ['vm'],
        registers,
        async collect() {
          this.reset()
          for (const { vm, usage } of await look()) {
            const value = usage && figure(usage)
            if (value !== null) this.set({ vm }, value)
          }
        },
      })
    }
  }
}
