import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { FakeHypervisor } from '../hypervisor/index.ts'
import { type ProgramSpec, type RunningVm, Supervisor, type SupervisorOptions } from '../supervisor/index.ts'

/** Supervisors of fake machines, one after the other or beside each other, in a folder of their own. */
export class SupervisorLab implements AsyncDisposable {
  readonly dataDir: string
  readonly #supervisors: Supervisor[] = []

  private constructor(dataDir: string) {
    this.dataDir = dataDir
  }

  static async open(): Promise<SupervisorLab> {
    return new SupervisorLab(await mkdtemp(join(tmpdir(), 'aleph-supervisor-')))
  }

  async start(options: Partial<SupervisorOptions>): Promise<Supervisor> {
    const { dataDir } = this
    const supervisor = await Supervisor.create({
      dataDir,
      hypervisor: new FakeHypervisor(),
      standbys: 0,
      ...options,
    })
    await supervisor.start()
    this.#supervisors.push(supervisor)
    return supervisor
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#supervisors.map((supervisor) => supervisor.stopAll(0)))
    await rm(this.dataDir, { recursive: true, force: true })
  }
}

/** A function of its own; the fake machine's program is the hypervisor's choice. */
export function programSpec(id: string, changes: Partial<ProgramSpec> = {}): ProgramSpec {
  return {
    id,
    kind: 'on-demand',
    vcpus: 1,
    memoryMiB: 128,
    runtime: { path: '/runtime', sha256: 'aa', command: ['/usr/bin/node', '/aleph/serve.mjs'] },
    code: { path: '/code', sha256: 'bb' },
    entrypoint: 'main.ts',
    env: {},
    hostname: 'function',
    internet: false,
    templateKey: 'template',
    ...changes,
  }
}

/** What the VM's program answers. */
export async function fetchText(vm: RunningVm, path = '/'): Promise<string> {
  const agent = new Agent()
  agent.createConnection = () => vm.openHttp()
  const [response] = (await once(get({ agent, path }), 'response')) as [IncomingMessage]
  const body = await text(response)
  agent.destroy()
  return body
}
