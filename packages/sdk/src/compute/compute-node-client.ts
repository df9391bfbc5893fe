import { z } from 'zod'
import type { Account } from '../account/account.ts'
import { AlephError } from '../errors.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'
import { createTransport, type Transport, type TransportOptions } from '../http/transport.ts'
import { OperatorSession } from './operator-session.ts'
import { type StreamLogsOptions, streamLogs, type VmLogFrame } from './stream-logs.ts'

const executionsSchema = z.record(
  z.string(),
  z.looseObject({
    running: z.boolean().nullish(),
    vm_type: z.string().nullish(),
    status: z.unknown().optional(),
  }),
)

const usageSchema = z.looseObject({
  cpu: z.looseObject({ count: z.number() }),
  mem: z.looseObject({ total_kB: z.number(), available_kB: z.number() }),
  disk: z.looseObject({ total_kB: z.number(), available_kB: z.number() }),
  active: z.boolean().nullish(),
})

const logsSchema = z.array(
  z.looseObject({
    MESSAGE: z.string(),
    file: z.string().nullish(),
    __REALTIME_TIMESTAMP: z.union([z.string(), z.number()]).nullish(),
  }),
)

/** VMs of a compute node by item hash (protocol 05 §16). */
export type Executions = z.infer<typeof executionsSchema>
export type SystemUsage = z.infer<typeof usageSchema>

/** A machine may take most of a minute to shut down, and longer to fetch what it boots from. */
const slowMs = 150_000

export interface GetLogsOptions {
  /** Only lines at or after this time, epoch seconds. */
  since?: number
  /** Only the last so many. */
  limit?: number
  signal?: AbortSignal
}

export interface VmLogLine {
  stream: 'stdout' | 'stderr'
  text: string
  /** As the node wrote it; null when it did not. */
  time: string | null
}

/** What the owner of a VM may ask of its compute node (protocol 05 §10). */
export type MachineOperation = 'start' | 'stop' | 'reboot' | 'erase' | 'reinstall' | 'expire'

/**
 * Talks to one compute node.
 *
 * @example
 * const node = new ComputeNodeClient('https://crn.example.org', { account })
 * for (const line of await node.getLogs(vmHash)) console.log(line.text)
 */
export class ComputeNodeClient {
  readonly url: string
  readonly #transport: Transport
  readonly #session: OperatorSession | undefined

  constructor(url: string, options: TransportOptions & { account?: Account } = {}) {
    this.#transport = createTransport(url, options)
    this.url = this.#transport.urls[0]
    this.#session = options.account ? new OperatorSession(options.account) : undefined
  }

  /** Every VM the node knows, running or not. */
  async listExecutions(options: { signal?: AbortSignal } = {}): Promise<Executions> {
    const answer = await requestJson(this.#transport, '/v2/about/executions/list', options)
    return parseAnswer(executionsSchema, answer)
  }

  /** Processor, memory and disk of the machine. */
  async getUsage(options: { signal?: AbortSignal } = {}): Promise<SystemUsage> {
    return parseAnswer(usageSchema, await requestJson(this.#transport, '/about/usage/system', options))
  }

  /** The log of a VM, also of one that stopped; only for its owner. All of it, or what `options` leave. */
  async getLogs(vmHash: string, options: GetLogsOptions = {}): Promise<VmLogLine[]> {
    const path = `/control/machine/${encodeURIComponent(vmHash)}/logs`
    const headers = await this.#operatorHeaders('GET', path)
    const { since, limit, ...request } = options
    const answer = await requestJson(this.#transport, path, { ...request, headers, query: { since, limit } })
    return parseAnswer(logsSchema, answer).map((line) => ({
      stream: line.file === 'stderr' ? 'stderr' : 'stdout',
      text: line.MESSAGE,
      time: line.__REALTIME_TIMESTAMP == null ? null : String(line.__REALTIME_TIMESTAMP),
    }))
  }

  /** The log of a VM as it is written, its history first; only for its owner. */
  streamLogs(vmHash: string, options: StreamLogsOptions = {}): AsyncGenerator<VmLogFrame, void, undefined> {
    return streamLogs(this.url, vmHash, this.#owner(), options)
  }

  /**
   * Asks the node to run an instance that names it, paid by credits or a stream (protocol 05 §9.2). Throws
   * with the node's reason when it does not.
   */
  async notify(vmHash: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    await requestJson(this.#transport, '/control/allocation/notify', {
      ...options,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ instance: vmHash }),
      timeoutMs: slowMs,
    })
  }

  /** Has the node read again which ports its owner wants forwarded. */
  async refreshPorts(vmHash: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    const path = `/control/machine/${encodeURIComponent(vmHash)}/update`
    await requestJson(this.#transport, path, { ...options, method: 'POST' })
  }

  /** Starts, stops, reboots, reinstalls or erases a VM; only for its owner. */
  async operate(
    vmHash: string,
    operation: MachineOperation,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    const path = `/control/machine/${encodeURIComponent(vmHash)}/${operation}`
    const headers = await this.#operatorHeaders('POST', path)
    await requestJson(this.#transport, path, { ...options, method: 'POST', headers, timeoutMs: slowMs })
  }

  async #operatorHeaders(method: 'GET' | 'POST', path: string): Promise<Record<string, string>> {
    return { ...(await this.#owner().headers(method, this.url + path)) }
  }

  #owner(): OperatorSession {
    if (this.#session) return this.#session
    throw new AlephError('account_required', 'Only the owner of a VM may do this, and no account was given', {
      hint: 'Create the client with { account }.',
    })
  }
}
