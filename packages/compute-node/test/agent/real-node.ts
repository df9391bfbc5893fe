import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buildGuestImages, type GuestImages } from '@aleph-ts/guest'
import { signAllocationRequest } from '@aleph-ts/protocol'
import { FakeCoreNode, testAccount } from '../../src/testing/fake-core-node.ts'
import { imagesDir, testKernel, warmUp } from '../../src/testing/warm-seed.ts'

/** Where else a node may run than among the tests: how its process starts, and how the two sides find each other. */
export interface NodeSurroundings {
  command(file: string, args: readonly string[]): [string, string[]]
  /** Where the node finds a server of the test's. */
  reachOut(url: string): Promise<string>
  /** Where the test finds the node. */
  reachIn(url: string): Promise<string>
}

/** A compute node as it runs anywhere: a process of its own, real guests; messages from a fake core node. */
export class RealNode implements AsyncDisposable {
  readonly core: FakeCoreNode
  readonly images: GuestImages
  readonly scheduler = testAccount()
  readonly dataDir: string
  readonly #environment: Record<string, string>
  readonly #surroundings: NodeSurroundings | null
  #process!: ChildProcess
  #nextTime = Math.floor(Date.now() / 1000)
  url = ''

  private constructor(
    core: FakeCoreNode,
    images: GuestImages,
    dataDir: string,
    environment: Record<string, string>,
    surroundings: NodeSurroundings | null,
  ) {
    this.core = core
    this.images = images
    this.dataDir = dataDir
    this.#environment = environment
    this.#surroundings = surroundings
  }

  /** `core`: another node's, to be of the same network. */
  static async start(
    environment: Record<string, string> = {},
    core?: FakeCoreNode,
    surroundings: NodeSurroundings | null = null,
  ): Promise<RealNode> {
    const images = await buildGuestImages({ cacheDir: imagesDir(), kernel: testKernel() })
    const dataDir = await mkdtemp(join(tmpdir(), 'aleph-compute-'))
    await warmUp(join(dataDir, 'supervisor'), images)
    const node = new RealNode(
      core ?? (await FakeCoreNode.start()),
      images,
      dataDir,
      environment,
      surroundings,
    )
    await node.run()
    return node
  }

  /** Starts the process, again after `kill`. */
  async run(): Promise<void> {
    const around = this.#surroundings
    const main = join(import.meta.dirname, '../../src/main.ts')
    const [file, args] = around?.command(process.execPath, [main]) ?? [process.execPath, [main]]
    const coreUrl = (await around?.reachOut(this.core.url)) ?? this.core.url
    this.#process = spawn(file, args, {
      stdio: ['ignore', 'pipe', process.env.ALEPH_TEST_LOGS ? 'inherit' : 'ignore'],
      env: {
        PATH: process.env.PATH,
        ALEPH_VM_DATA_DIR: this.dataDir,
        ALEPH_VM_SUPERVISOR_PORT: '0',
        ALEPH_VM_API_SERVERS: coreUrl,
        ALEPH_VM_GUEST_IMAGES_DIR: imagesDir(),
        ALEPH_VM_GUEST_KERNEL: testKernel(),
        ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: this.scheduler.address,
        ALEPH_VM_STOP_VMS_ON_EXIT: '1',
        ALEPH_VM_LOG_LEVEL: 'debug',
        ...this.#environment,
      },
    })
    const [line] = await once(createInterface({ input: this.#process.stdout! }), 'line')
    const { url } = JSON.parse(line) as { url: string }
    this.url = (await around?.reachIn(url)) ?? url
  }

  /** Ends the process as a power cut would; its guests run on. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }

  /** Asks the process to end; resolves with its exit code. */
  async terminate(): Promise<number | null> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGTERM')
      await once(this.#process, 'exit')
    }
    return this.#process.exitCode
  }

  call(hash: string, path = '/', init?: RequestInit): Promise<Response> {
    return fetch(`${this.url}/vm/${hash}${path}`, init)
  }

  /** Pushes a whole plan as the scheduler. */
  async allocate(plan: { persistent_vms?: string[]; instances?: string[]; on_demand_vms?: string[] }) {
    const whole = { persistent_vms: [], instances: [], ...plan }
    const response = await this.asScheduler('POST', '/control/allocations', whole)
    return (await response.json()) as { success: boolean; errors: Record<string, string> }
  }

  /** A request as the scheduler signs it. */
  async asScheduler(method: 'GET' | 'POST', path: string, content: unknown = null): Promise<Response> {
    const body = content === null ? Buffer.alloc(0) : Buffer.from(JSON.stringify(content))
    const { privateKey } = this.scheduler
    // Counted down, as a request signed twice for one second would be refused as a replay.
    const iat = this.#nextTime--
    const authorization = signAllocationRequest({ method, path, body, iat, privateKey })
    return fetch(`${this.url}${path}`, {
      method,
      headers: { authorization },
      ...(method === 'POST' && { body }),
    })
  }

  async execution(hash: string): Promise<Execution | undefined> {
    const list = await (await fetch(`${this.url}/v2/about/executions/list`)).json()
    return (list as Record<string, Execution>)[hash]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate()
    await this.core[Symbol.asyncDispose]()
    await rm(this.dataDir, { recursive: true, force: true })
  }
}

/** What tests look at of an entry of `/v2/about/executions/list`. */
export interface Execution {
  running: boolean
  vm_type: string
  start: { kind: string } | null
  allocation: {
    state: string
    attempts: number
    error: { code: string; message: string } | null
    next_retry_at: string | null
  } | null
  networking: {
    mapped_ports?: Record<string, { host: number; tcp: boolean; udp: boolean }>
    ipv4_ip?: string
    ipv6_ip?: string
    host_ipv4?: string
  }
}
