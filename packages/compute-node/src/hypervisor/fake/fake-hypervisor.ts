import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type Duplex, duplexPair } from 'node:stream'
import type {
  ConfidentialSupport,
  GuestLink,
  Hypervisor,
  HypervisorCapabilities,
  LaunchControl,
  LaunchMeasurement,
  LaunchRequest,
  Machine,
  MachineExit,
  MachineRecord,
  MachineShape,
} from '../hypervisor.ts'
import { HypervisorError } from '../hypervisor.ts'

/** What a fake machine was configured with, for the program to look at. */
export interface FakeMachine {
  id: string
  hostname: string
  env: Record<string, string>
  /** Arguments of the program, or the entrypoint alone. */
  command: string[]
  internet: boolean
  /** What it was told to mount, as the guest agent reads it. */
  mounts: string[]
  /** Set after a start from a snapshot in which the program ran. */
  restored: boolean
  /** What it says of its memory, bytes. */
  ownMemory: number
  /** Prints a line on the machine's console. */
  print(line: string): void
}

/** What the fake runs instead of a guest: an HTTP server, or a way to go wrong. */
export type FakeProgram =
  | RequestListener
  | Server
  | { fails: 'never-listens' }
  | { fails: 'exits'; code: number; prints?: string }

/** Chooses the program of a machine. */
export type FakeProgramChoice = (machine: FakeMachine) => FakeProgram

const fakeCapabilities: HypervisorCapabilities = {
  hypervisor: 'fake',
  accelerator: 'none',
  version: 'fake',
  fingerprint: 'fake',
  timeoutFactor: 1,
}

/**
 * Runs each "guest" as an HTTP server inside this process: deterministic, no files, no time passes. Knows
 * the same failures as a real guest, on demand.
 */
export class FakeHypervisor implements Hypervisor {
  readonly #choose: FakeProgramChoice
  readonly #machines = new Map<string, FakeMachineProcess>()
  #nextBoot: 'well' | 'fails' = 'well'
  /** VMs whose guests switched their machines off, in order. */
  readonly switchedOff: string[] = []
  /** What it says of confidential machines. */
  confidentialSupport: ConfidentialSupport = { available: false, reason: 'the fake has no memory to encrypt' }

  /** Default program: answers every request with its method and URL as JSON. */
  constructor(choose: FakeProgramChoice = () => echoRequest) {
    this.#choose = choose
  }

  /** How many machines live. */
  get machineCount(): number {
    return this.#machines.size
  }

  /** How many machines live of VMs whose ids begin so. */
  machineCountOf(prefix: string): number {
    return [...this.#machines.values()].filter(({ request }) => request.id.startsWith(prefix)).length
  }

  /** What the machine of a VM was built of. */
  shapeOf(id: string): MachineShape {
    return this.#find(id).request.shape
  }

  /** The next machine's guest will not answer. */
  failNextBoot(): void {
    this.#nextBoot = 'fails'
  }

  /** Ends a VM's machine as if its process had been killed from outside. */
  crash(id: string): void {
    this.#find(id).end({ expected: false, byGuest: false, reason: 'the QEMU process ended' })
  }

  /** Lets a VM's system switch its machine off. */
  switchOff(id: string): void {
    this.#find(id).end({ expected: false, byGuest: true, reason: 'the guest shut down' })
  }

  /** Keeps a VM's machine alive after it is killed, as a busy host does, until the answer is called. */
  holdOn(id: string): () => void {
    return this.#find(id).holdOn()
  }

  /** Lets a VM's program end by itself. */
  exitProgram(id: string, code: number): void {
    this.#find(id).link?.emit('event', 'exited', { code: String(code), signal: '' })
  }

  /** Opens an outgoing connection from inside a VM; the host's end goes to `onGuestStream`. */
  openEgress(id: string): Duplex {
    return this.#openFromInside(id, 'egress')
  }

  /** Opens a connection to the node's API from inside a VM. */
  openApi(id: string): Duplex {
    return this.#openFromInside(id, 'api')
  }

  #openFromInside(id: string, destination: string): Duplex {
    const [inside, outside] = duplexPair()
    const { link } = this.#find(id)
    if (!link?.streamHandler) throw new Error(`nobody takes streams of ${id}`)
    link.streamHandler(destination, outside)
    return inside
  }

  async probe(): Promise<HypervisorCapabilities> {
    return fakeCapabilities
  }

  async confidential(): Promise<ConfidentialSupport> {
    return this.confidentialSupport
  }

  async launch(request: LaunchRequest): Promise<Machine> {
    if (request.signal?.aborted) throw new HypervisorError('aborted', 'the start was called off')
    if (request.start.memory) await writeFile(request.start.memory, '')
    const machine = new FakeMachineProcess(request, this.#choose, this.#nextBoot)
    this.#nextBoot = 'well'
    if (request.start.kind === 'restore') {
      const { facts, ran } = JSON.parse(await readFile(request.start.snapshot.state, 'utf8'))
      if (ran) Object.assign(machine.facts, facts, { id: request.id, restored: true })
    }
    this.#machines.set(machine.record.launchId, machine)
    machine.exited.then(({ byGuest }) => {
      this.#machines.delete(machine.record.launchId)
      if (byGuest) this.switchedOff.push(request.id)
    })
    return machine
  }

  async adopt(record: MachineRecord): Promise<Machine | null> {
    return this.#machines.get(record.launchId) ?? null
  }

  async sweep(keep: MachineRecord[]): Promise<number> {
    const kept = new Set(keep.map(({ launchId }) => launchId))
    const leftovers = [...this.#machines.values()].filter(({ record }) => !kept.has(record.launchId))
    await Promise.all(leftovers.map((machine) => machine.kill()))
    return leftovers.length
  }

  async close(): Promise<void> {}

  #find(id: string): FakeMachineProcess {
    const machine = [...this.#machines.values()].findLast(({ request }) => request.id === id)
    if (!machine) throw new Error(`no fake machine ${id} is running`)
    return machine
  }
}

class FakeMachineProcess implements Machine {
  readonly record: MachineRecord = { hypervisor: 'fake', launchId: randomBytes(8).toString('hex') }
  readonly request: LaunchRequest
  readonly exited: Promise<MachineExit>
  readonly launchControl: LaunchControl = new FakeLaunch()
  readonly facts: FakeMachine
  readonly #choose: FakeProgramChoice
  readonly #boots: 'well' | 'fails'
  server: Server | null = null
  #ended = false
  #held: Promise<void> = Promise.resolve()
  link: FakeLink | null = null
  end!: (exit: MachineExit) => void

  constructor(request: LaunchRequest, choose: FakeProgramChoice, boots: 'well' | 'fails') {
    this.request = request
    this.#choose = choose
    this.#boots = boots
    this.facts = {
      id: request.id,
      hostname: '',
      env: {},
      command: [],
      internet: false,
      mounts: [],
      restored: false,
      ownMemory: 0,
      print: (line) => request.onConsole(Buffer.from(`${line}\n`)),
    }
    this.exited = new Promise((resolve) => {
      this.end = (exit) => {
        this.#ended = true
        this.server?.closeAllConnections()
        this.link?.emit('close')
        resolve(exit)
      }
    })
  }

  async connect(): Promise<GuestLink> {
    if (this.facts.restored && !this.server) this.run()
    if (this.#boots === 'fails') throw new Error('the fake guest does not boot')
    this.link = new FakeLink(this)
    return this.link
  }

  /** Starts the program; tells how it went through the link. */
  run(): void {
    const program = this.#choose(this.facts)
    const tell = (verb: string, fields: Record<string, string>) =>
      setImmediate(() => this.link?.emit('event', verb, fields))
    if (!('fails' in program)) {
      this.server = typeof program === 'function' ? createServer(program) : program
      tell('ready', { port: '8080' })
    } else if (program.fails === 'exits') {
      if (program.prints) this.facts.print(program.prints)
      tell('exited', { code: String(program.code), signal: '' })
    }
  }

  async snapshot(statePath: string): Promise<void> {
    await writeFile(statePath, JSON.stringify({ facts: this.facts, ran: this.server !== null }))
  }

  async pause(): Promise<void> {}

  async resume(): Promise<void> {
    if (this.#ended) throw new HypervisorError('hypervisor_failed', 'the fake machine is gone')
  }

  async ownMemory(): Promise<number> {
    return this.facts.ownMemory
  }

  async powerDown(): Promise<void> {
    this.end({ expected: false, byGuest: true, reason: 'the guest shut down' })
  }

  async setForwards(): Promise<void> {}

  holdOn(): () => void {
    let letGo = () => {}
    this.#held = new Promise((resolve) => {
      letGo = resolve
    })
    return letGo
  }

  async kill(): Promise<void> {
    await this.#held
    this.end({ expected: true, byGuest: false, reason: 'killed' })
    await this.exited
  }

  detach(): void {
    this.link = null
  }
}

/** Measures what the network's test vector measures (protocol 05 §22), and runs on any secret. */
class FakeLaunch implements LaunchControl {
  #state = 'launch-secret'

  async measurement(): Promise<LaunchMeasurement> {
    const version = { apiMajor: 1, apiMinor: 55, buildId: 24 }
    const measure = Buffer.concat([
      Buffer.from('ls2jv10V3HVShVI/RHCo/a43WO0soLZf0huU9ZZstIw=', 'base64'),
      Buffer.from('URQNqJAqh/2ep4drjx/XvA==', 'base64'),
    ])
    const info = { enabled: true, ...version, policy: 1, state: this.#state, handle: 1 }
    return { info, measure: measure.toString('base64') }
  }

  async injectSecret(): Promise<{ status: string; running: boolean }> {
    this.#state = 'running'
    return { status: 'running', running: true }
  }
}

class FakeLink extends EventEmitter implements GuestLink {
  readonly #machine: FakeMachineProcess
  get programState(): GuestLink['programState'] {
    return this.#machine.server ? 'ready' : 'idle'
  }

  streamHandler: ((destination: string, stream: Duplex) => void) | null = null

  constructor(machine: FakeMachineProcess) {
    super()
    this.#machine = machine
  }

  async control(verb: string, fields: Record<string, string | string[]> = {}): Promise<void> {
    const { facts } = this.#machine
    if (verb === 'configure') {
      facts.hostname = String(fields.hostname ?? '')
      facts.internet = fields.internet === '1'
      facts.command = [fields.cmd ?? fields.entrypoint ?? []].flat()
      for (const [key, value] of Object.entries(fields)) {
        if (key.startsWith('mount.')) facts.mounts.push(String(value))
        if (key.startsWith('env.')) facts.env[key.slice(4)] = String(value)
      }
    } else if (verb === 'start') this.#machine.run()
    else if (verb === 'halt')
      this.#machine.end({ expected: false, byGuest: true, reason: 'the guest shut down' })
  }

  openStream(): Duplex {
    const [host, guest] = duplexPair()
    this.#machine.server?.emit('connection', guest)
    return host
  }

  onStream(handler: (destination: string, stream: Duplex) => void): void {
    this.streamHandler = handler
  }

  async close(): Promise<void> {}
}

function echoRequest(...[request, response]: Parameters<RequestListener>): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ method: request.method, url: request.url }))
}
