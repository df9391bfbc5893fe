import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { buildGuestImages, type GuestImages, type RuntimeName } from '@aleph-ts/guest'
import { type Logger, pino } from 'pino'
import {
  type ProgramSpec,
  QemuHypervisor,
  type RunningVm,
  Supervisor,
  type SupervisorOptions,
} from '../../src/supervisor/index.ts'

import { imagesDir, testKernel, warmUp } from '../../src/testing/warm-seed.ts'

const run = promisify(execFile)

/** Real guest images, a data directory and programs packed for tests with real machines. */
export interface VmLab extends AsyncDisposable {
  images: GuestImages
  dataDir: string
  log: Logger
  hypervisor(): Promise<QemuHypervisor>
  supervisor(options?: Partial<SupervisorOptions>): Promise<Supervisor>
  spec(id: string, program: VmProgram, changes?: Partial<ProgramSpec>): Promise<ProgramSpec>
}

export interface VmProgram {
  runtime: RuntimeName
  entrypoint: string
  files: Record<string, string>
}

/** `cold`: nothing was found out or kept before, as on a node's first start. */
export async function openVmLab(options: { cold?: boolean } = {}): Promise<VmLab> {
  const images = await buildGuestImages({ cacheDir: imagesDir(), kernel: testKernel() })
  const directory = await mkdtemp(join(tmpdir(), 'aleph-vm-lab-'))
  const dataDir = join(directory, 'data')
  const log = pino({ level: process.env.ALEPH_TEST_LOG_LEVEL ?? 'silent' }, pino.destination(2))
  const hypervisor = () => QemuHypervisor.create({ dataDir, images, log })
  await mkdir(dataDir)
  if (!options.cold) await warmUp(dataDir, images)
  return {
    images,
    dataDir,
    log,
    hypervisor,
    async supervisor(options) {
      const supervisor = await Supervisor.create({ dataDir, hypervisor: await hypervisor(), log, ...options })
      await supervisor.start()
      return supervisor
    },
    async spec(id, program, changes) {
      const { path, sha256, command, env } = images.runtimes[program.runtime]
      return {
        id,
        kind: 'on-demand',
        vcpus: 1,
        memoryMiB: 256,
        runtime: { path, sha256, command, env },
        code: await packCode(directory, program.files),
        entrypoint: program.entrypoint,
        env: {},
        hostname: 'function',
        internet: false,
        templateKey: '',
        ...changes,
      }
    },
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** One request to a VM's program over a connection of its own. */
export async function call(vm: RunningVm, path = '/'): Promise<string> {
  const agent = new Agent()
  agent.createConnection = () => vm.openHttp()
  const outgoing = request({ agent, path })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  const body = await text(response)
  agent.destroy()
  return body
}

/** Equal files are one image, as they are on a node. */
async function packCode(directory: string, files: Record<string, string>) {
  const name = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 16)
  const folder = join(directory, name)
  const path = `${folder}.squashfs`
  if (!existsSync(path)) {
    await mkdir(folder)
    for (const [file, content] of Object.entries(files)) {
      await writeFile(join(folder, file), content, { mode: 0o755 })
    }
    const reproducible = ['-all-root', '-mkfs-time', '0', '-all-time', '0']
    await run('mksquashfs', [folder, path, '-quiet', '-no-progress', ...reproducible])
  }
  return {
    path,
    sha256: createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
  }
}
