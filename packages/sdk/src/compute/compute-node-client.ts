import { z } from 'zod'
import type { Account } from '../account/account.ts'
import { AlephError } from '../errors.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { pollUntil } from '../http/poll-until.ts'
import { queryString, requestJson, requestStream } from '../http/request.ts'
import { createTransport, type Transport, type TransportOptions } from '../http/transport.ts'
import { OperatorSession } from './operator-session.ts'
import { type StreamLogsOptions, streamLogs, type VmLogFrame } from './stream-logs.ts'

const executionSchema = z.looseObject({
  running: z.boolean().nullish(),
  vm_type: z.string().nullish(),
  status: z.unknown().optional(),
  networking: z
    .looseObject({
      host_ipv4: z.string().nullish(),
      /** Port of the instance → port of the node that leads there. */
      mapped_ports: z.record(z.string(), z.looseObject({ host: z.number() })).optional(),
    })
    .nullish(),
})

const executionsSchema = z.record(z.string(), executionSchema)

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

const backupSchema = z.looseObject({
  backup_id: z.string(),
  size: z.number(),
  volumes: z.array(z.string()),
  expires_at: z.string(),
  /** `sha256:<hex>` of the whole archive. */
  checksum: z.string(),
  download_url: z.string(),
})

const measurementSchema = z.object({
  sev_info: z.looseObject({
    api_major: z.int(),
    api_minor: z.int(),
    build_id: z.int(),
    policy: z.int(),
  }),
  launch_measure: z.base64(),
})
const injectionSchema = z.looseObject({ status: z.looseObject({ running: z.boolean() }) })

/** VMs of a compute node by item hash (protocol 05 §16). */
export type Executions = z.infer<typeof executionsSchema>
export type Execution = z.infer<typeof executionSchema>
export type SystemUsage = z.infer<typeof usageSchema>
/** A tar of an instance's disks, each a qcow2 image that stands alone (protocol 05 §10.4). */
export type InstanceBackup = z.infer<typeof backupSchema>

/** A machine may take most of a minute to shut down, and longer to fetch what it boots from. */
const slowMs = 150_000
/** A disk travels, and may be large. */
const restoreMs = 3_600_000

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

export interface CreateBackupOptions {
  /** Persistent volumes too, and not the root disk alone. */
  includeVolumes?: boolean
  /** Milliseconds; half an hour by default. */
  timeoutMs?: number
  signal?: AbortSignal
}

/** What a processor launched, as its node tells it. */
export interface LaunchMeasurement {
  apiMajor: number
  apiMinor: number
  buildId: number
  policy: number
  /** Base64: 32 bytes of measure, 16 of nonce. */
  launchMeasure: string
}

/** Where a root disk is restored from: a qcow2 image, or the item hash of a STORE message that holds one. */
export type RestoreSource = Blob | { storeHash: string }

export interface OperateOptions {
  /** Of a reinstalled instance: keep its persistent volumes. */
  keepVolumes?: boolean
  signal?: AbortSignal
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

  /** Waits until a VM runs. Throws `timeout` after `timeoutMs` (five minutes by default). */
  async waitUntilRunning(
    vmHash: string,
    options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<Execution> {
    const { timeoutMs = 300_000, signal } = options
    const look = async (stop: AbortSignal) => {
      const execution = (await this.listExecutions({ signal: stop }))[vmHash]
      return execution?.running ? execution : undefined
    }
    const running = await pollUntil(look, { timeoutMs, signal })
    if (running) return running
    throw new AlephError('timeout', `${vmHash} did not run on ${this.url} within ${timeoutMs} ms`)
  }

  /** Processor, memory and disk of the machine. */
  async getUsage(options: { signal?: AbortSignal } = {}): Promise<SystemUsage> {
    return parseAnswer(usageSchema, await requestJson(this.#transport, '/about/usage/system', options))
  }

  /** The log of a VM, also of one that stopped; only for its owner. All of it, or what `options` leave. */
  async getLogs(vmHash: string, options: GetLogsOptions = {}): Promise<VmLogLine[]> {
    const path = machinePath(vmHash, 'logs')
    const { since, limit, ...request } = options
    const query = { since, limit }
    const headers = await this.#operatorHeaders('GET', path + queryString(query))
    const answer = await requestJson(this.#transport, path, { ...request, headers, query })
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
    const path = machinePath(vmHash, 'update')
    await requestJson(this.#transport, path, { ...options, method: 'POST' })
  }

  /** Starts, stops, reboots, reinstalls or erases a VM; only for its owner. */
  async operate(vmHash: string, operation: MachineOperation, options: OperateOptions = {}): Promise<void> {
    const { keepVolumes, ...request } = options
    const query = keepVolumes === true ? { erase_volumes: false } : {}
    const path = machinePath(vmHash, operation)
    const headers = await this.#operatorHeaders('POST', path + queryString(query))
    await requestJson(this.#transport, path, {
      ...request,
      query,
      method: 'POST',
      headers,
      timeoutMs: slowMs,
    })
  }

  /** Copies the disks of an instance, and waits until the copy is whole; only for its owner. It is kept for a day. */
  async createBackup(vmHash: string, options: CreateBackupOptions = {}): Promise<InstanceBackup> {
    const { includeVolumes, timeoutMs = 1_800_000, signal } = options
    const path = machinePath(vmHash, 'backup')
    const ask = async (method: 'GET' | 'POST', stop: AbortSignal | undefined) => {
      const query = method === 'POST' && includeVolumes ? { include_volumes: true } : {}
      const answer = await requestJson(this.#transport, path, {
        method,
        headers: await this.#operatorHeaders(method, path + queryString(query)),
        query,
        ...(stop ? { signal: stop } : {}),
      })
      return answer.status === 202 ? undefined : parseAnswer(backupSchema, answer)
    }
    const backup =
      (await ask('POST', signal)) ?? (await pollUntil((stop) => ask('GET', stop), { timeoutMs, signal }))
    if (backup) return backup
    throw new AlephError('timeout', `The backup of ${vmHash} was not done within ${timeoutMs} ms`)
  }

  /** The archive of a backup as it arrives; whoever reads it compares it with `checksum`. */
  async downloadBackup(
    { download_url }: Pick<InstanceBackup, 'download_url'>,
    options: { signal?: AbortSignal } = {},
  ): Promise<ReadableStream<Uint8Array>> {
    // The node tells the link by its domain, which is not always how it was reached.
    const { pathname, search } = new URL(download_url)
    const { body } = await requestStream(this.#transport, pathname + search, options)
    if (body) return body
    throw new AlephError('bad_response', `${this.url} sent no backup`)
  }

  /** Replaces the root disk of an instance, which restarts; only for its owner. */
  async restore(
    vmHash: string,
    source: RestoreSource,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    const path = machinePath(vmHash, 'restore')
    const limit = { ...options, timeoutMs: restoreMs, method: 'POST' as const }
    if ('storeHash' in source) {
      const body = JSON.stringify({ volume_ref: source.storeHash })
      const headers = await this.#operatorHeaders('POST', path, body)
      await requestJson(this.#transport, path, { ...limit, headers, body })
      return
    }
    const headers = await this.#operatorHeaders('POST', path)
    const form = new FormData()
    form.set('rootfs', source, 'rootfs.qcow2')
    await requestJson(this.#transport, path, { ...limit, headers, body: form })
  }

  /** What owners of confidential instances make their sessions for (protocol 05 §11). Throws `unavailable` where none run. */
  async getCertificates(options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const answer = await requestStream(this.#transport, '/about/certificates', options)
    return new Uint8Array(await answer.arrayBuffer())
  }

  /** Launches a confidential instance, which then waits for its secret (protocol 05 §11); only for its owner. */
  async initialize(
    vmHash: string,
    launch: { session: string; godh: string },
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    const path = machinePath(vmHash, 'confidential/initialize')
    const headers = await this.#operatorHeaders('POST', path)
    const body = new FormData()
    body.set('session', new Blob([launch.session]), 'vm_session.b64')
    body.set('godh', new Blob([launch.godh]), 'vm_godh.b64')
    await requestJson(this.#transport, path, { ...options, method: 'POST', headers, body, timeoutMs: slowMs })
  }

  /** What was launched, to be verified before anything secret is sent; only for its owner. */
  async getMeasurement(vmHash: string, options: { signal?: AbortSignal } = {}): Promise<LaunchMeasurement> {
    const path = machinePath(vmHash, 'confidential/measurement')
    const headers = await this.#operatorHeaders('GET', path)
    const answer = await requestJson(this.#transport, path, { ...options, headers })
    const { sev_info: info, launch_measure: launchMeasure } = parseAnswer(measurementSchema, answer)
    const { api_major: apiMajor, api_minor: apiMinor, build_id: buildId, policy } = info
    return { apiMajor, apiMinor, buildId, policy, launchMeasure }
  }

  /** Hands a launched instance its secret, with which it runs; returns whether it does. Only for its owner. */
  async injectSecret(
    vmHash: string,
    { packetHeader, secret }: { packetHeader: string; secret: string },
    options: { signal?: AbortSignal } = {},
  ): Promise<boolean> {
    const path = machinePath(vmHash, 'confidential/inject_secret')
    const body = JSON.stringify({ packet_header: packetHeader, secret })
    const headers = await this.#operatorHeaders('POST', path, body)
    const answer = await requestJson(this.#transport, path, { ...options, method: 'POST', headers, body })
    return parseAnswer(injectionSchema, answer).status.running
  }

  /** @param path with its query @param json the body, when it is JSON */
  async #operatorHeaders(
    method: 'GET' | 'POST',
    path: string,
    json?: string,
  ): Promise<Record<string, string>> {
    const headers = await this.#owner().headers(
      method,
      this.url + path,
      json === undefined ? {} : { body: json },
    )
    return { ...headers, ...(json === undefined ? {} : { 'content-type': 'application/json' }) }
  }

  #owner(): OperatorSession {
    if (this.#session) return this.#session
    throw new AlephError('account_required', 'Only the owner of a VM may do this, and no account was given', {
      hint: 'Create the client with { account }.',
    })
  }
}

function machinePath(vmHash: string, operation: string): string {
  return `/control/machine/${encodeURIComponent(vmHash)}/${operation}`
}
