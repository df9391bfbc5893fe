import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { GuestImages, RuntimeName } from '@aleph-ts/guest'
import { pino } from 'pino'
import { QemuHypervisor } from '../hypervisor/index.ts'
import { RuntimeTemplates } from '../supervisor/runtime-templates.ts'
import { TemplateStore } from '../supervisor/template-store.ts'

const run = promisify(execFile)
const log = pino({ level: 'silent' })
const budgetBytes = 4 * 1024 ** 3

/** Machines that tests start most. */
const shapes: { runtime: RuntimeName; disks: number }[] = [
  { runtime: 'node', disks: 2 },
  { runtime: 'binary', disks: 2 },
]

/** Where guest images are built once for all tests. */
export function imagesDir(): string {
  return process.env.ALEPH_CACHE_DIR ?? join(import.meta.dirname, '../../../../.cache/guest')
}

/**
 * Gives a new supervisor's folder what one that ran before would have: the probe's answer, and snapshots of booted
 * runtimes. They are made once since this host booted; nodes link them, as nobody ever changes them.
 */
export async function warmUp(dataDir: string, images: GuestImages): Promise<void> {
  const seed = await findOrMakeSeed(images)
  await mkdir(dataDir, { recursive: true })
  const entries = (await readdir(seed)).map((name) => join(seed, name))
  // A link is enough on one file system, and impossible on two.
  await run('cp', ['-rl', ...entries, dataDir]).catch(() =>
    run('cp', ['-r', '--sparse=always', ...entries, dataDir]),
  )
}

async function findOrMakeSeed(images: GuestImages): Promise<string> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim().slice(0, 8)
  const folder = join(imagesDir(), '../compute-node-tests')
  const seed = join(folder, `${boot}-${images.key}`)
  if (await exists(seed)) return seed
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(folder)) {
    if (!name.startsWith('making-') && !name.startsWith(boot))
      await rm(join(folder, name), { recursive: true })
  }
  const making = await mkdtemp(join(folder, 'making-'))
  await makeSeed(making, images)
  try {
    await rename(making, seed)
  } catch (error) {
    // Another test file was faster.
    if (!(await exists(seed))) throw error
    await rm(making, { recursive: true })
  }
  return seed
}

async function makeSeed(dataDir: string, images: GuestImages): Promise<void> {
  const hypervisor = await QemuHypervisor.create({ dataDir, images, log })
  const capabilities = await hypervisor.probe()
  const templates = await TemplateStore.open(join(dataDir, 'templates'), budgetBytes, capabilities, log)
  const bootMs = 10_000 * capabilities.timeoutFactor
  const runtimes = await RuntimeTemplates.create({ hypervisor, templates, dataDir, bootMs, log })
  const { signal } = new AbortController()
  for (const { runtime, disks } of shapes) {
    const volumes = Array.from({ length: disks - 2 }, () => ({ kind: 'disk' as const, mount: '/', path: '' }))
    await runtimes.ensure({ ...anyProgram, runtime: images.runtimes[runtime], volumes }, signal)
  }
}

const anyProgram = {
  id: 'any',
  kind: 'on-demand' as const,
  vcpus: 1,
  memoryMiB: 256,
  code: { path: '', sha256: '' },
  entrypoint: '',
  env: {},
  hostname: '',
  internet: false,
  templateKey: '',
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
