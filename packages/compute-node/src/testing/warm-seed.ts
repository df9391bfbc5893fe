import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type GuestImages, type GuestKernel, type RuntimeName, withLock } from '@aleph-ts/guest'
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
  { runtime: 'binary', disks: 3 },
]

/** Where guest images are built once for all tests. */
export function imagesDir(): string {
  return process.env.ALEPH_CACHE_DIR ?? join(import.meta.dirname, '../../../../.cache/guest')
}

/** Which kernel tests of machines boot: Debian's, unless `ALEPH_TEST_LEAN_KERNEL=1`. */
export function testKernel(): GuestKernel {
  return process.env.ALEPH_TEST_LEAN_KERNEL === '1' ? 'lean' : 'debian'
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
  const kinds = shapes.map(({ runtime, disks }) => `${runtime}${disks}`)
  const seed = join(folder, [boot, images.key, ...kinds].join('-'))
  await mkdir(folder, { recursive: true })
  // Files run side by side, and boots are dear: one makes it, the others wait.
  await withLock(join(folder, 'lock'), async () => {
    if (await exists(seed)) return
    for (const name of await readdir(folder)) {
      if (!name.startsWith(boot) && name !== 'lock') await rm(join(folder, name), { recursive: true })
    }
    const making = await mkdtemp(join(folder, 'making-'))
    await makeSeed(making, images)
    await rename(making, seed)
  })
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
