import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { FakeHypervisor, type FakeMachine, type FakeProgram } from '../../src/hypervisor/index.ts'
import { ComputeNode, configFromEnvironment } from '../../src/index.ts'
import { FakeCoreNode, type ProgramOptions } from '../../src/testing/fake-core-node.ts'
import { writeZip } from '../../src/testing/zip-writer.ts'

export interface TestNodeOptions {
  environment?: Record<string, string>
  /** TXT records by name. */
  records?: Record<string, string>
  /** Called before the node's first start. */
  prepare?: (node: TestNode) => void
  /** Root of the device tree the node looks at. */
  sysfs?: string
}

/** Text of a runtime manifest every test runtime carries unless told otherwise. */
const manifest = JSON.stringify({ name: 'test', command: ['/bin/run'], env: { RUNTIME: 'test' } })

/** A squashfs image holding exactly these files. */
export async function squashfs(files: Record<string, string>): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'aleph-squashfs-'))
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(join(folder, 'root', name, '..'), { recursive: true })
      await writeFile(join(folder, 'root', name), content)
    }
    execFileSync('mksquashfs', [
      join(folder, 'root'),
      join(folder, 'image'),
      '-all-root',
      '-quiet',
      '-no-progress',
    ])
    return await readFile(join(folder, 'image'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * A whole compute node in this process: real agent, real supervisor, programs run by the fake hypervisor,
 * messages and files from a fake core node.
 */
export class TestNode implements AsyncDisposable {
  readonly core: FakeCoreNode
  readonly dataDir: string
  /** What each VM runs, by item hash; a program's further VMs run the same. */
  readonly programs = new Map<string, FakeProgram>()
  /** As above, for programs that look at their machine. */
  readonly machinePrograms = new Map<string, (machine: FakeMachine) => FakeProgram>()
  /** What each guest was configured with last, by item hash. */
  readonly machines = new Map<string, FakeMachine>()
  readonly hypervisor = new FakeHypervisor((machine) => {
    const { id, restored } = machine
    this.machines.set(id, machine)
    if (!restored) this.starts.push(id)
    const hash = id.slice(0, 64)
    const program = this.machinePrograms.get(hash)?.(machine) ?? this.programs.get(hash)
    return program ?? ((_request, response) => response.end('default program'))
  })
  /** Item hashes in the order their programs started from nothing. */
  readonly starts: string[] = []
  readonly #options: TestNodeOptions
  #runtime: string | null = null
  #code: string | null = null
  node!: ComputeNode
  url = ''

  private constructor(core: FakeCoreNode, dataDir: string, options: TestNodeOptions) {
    this.core = core
    this.dataDir = dataDir
    this.#options = options
  }

  static async start(options: TestNodeOptions = {}): Promise<TestNode> {
    const core = await FakeCoreNode.start()
    const self = new TestNode(core, await mkdtemp(join(tmpdir(), 'aleph-compute-')), options)
    options.prepare?.(self)
    await self.restart()
    return self
  }

  /** (Re)starts the agent on the same data folder; `programs` and the fake hypervisor live on. */
  async restart(): Promise<void> {
    if (this.node) await this.node.stop()
    const config = configFromEnvironment({
      ALEPH_VM_DATA_DIR: this.dataDir,
      ALEPH_VM_SUPERVISOR_PORT: '0',
      ALEPH_VM_API_SERVERS: this.core.url,
      ALEPH_VM_HYPERVISOR: 'fake',
      ALEPH_VM_LOG_LEVEL: 'silent',
      ALEPH_VM_DRAIN_TIMEOUT: '2',
      ALEPH_VM_VCPUS: '100',
      ALEPH_VM_MEMORY_MB: '100000',
      ...this.#options.environment,
    })
    const resolveTxt = async (name: string) => {
      const text = this.#options.records?.[name]
      if (text === undefined) throw new Error('no such name')
      return [[text]]
    }
    this.node = await ComputeNode.create(config, {
      hypervisor: this.hypervisor,
      logger: pino({ level: 'silent' }),
      resolveTxt,
      ...(this.#options.sysfs && { sysfs: this.#options.sysfs }),
    })
    this.url = (await this.node.start()).url
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop(true)
    await this.core[Symbol.asyncDispose]()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  /** STORE hash of a bootable runtime. */
  async runtime(): Promise<string> {
    this.#runtime ??= this.core.store(await squashfs({ 'aleph/runtime.json': manifest }))
    return this.#runtime
  }

  /** Publishes a program whose guest is `program`; returns its item hash. */
  async deploy(program: FakeProgram, options: Partial<ProgramOptions> = {}): Promise<string> {
    this.#code ??= this.core.store(writeZip([{ name: 'main.ts', content: 'export default () => {}' }]))
    const hash = this.core.program({ runtime: await this.runtime(), code: this.#code, ...options })
    this.programs.set(hash, program)
    return hash
  }

  call(hash: string, path = '/', init?: RequestInit): Promise<Response> {
    return fetch(`${this.url}/vm/${hash}${path}`, init)
  }

  /** What a call of a program is refused with. */
  async refusal(hash: string) {
    const response = await this.call(hash)
    return {
      status: response.status,
      ...((await response.json()) as { error: string; code: string; log?: string }),
    }
  }
}

/** Waits until `check` holds; fails after twenty seconds. */
export async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 2000; attempt++) {
    if (await check()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it did not happen within twenty seconds')
}
