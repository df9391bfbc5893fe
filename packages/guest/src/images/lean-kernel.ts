import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GuestError } from '../guest-error.ts'
import type { DebianArchive } from './debian.ts'
import { kernelPackage } from './kernel.ts'
import { refusedOptions } from './kernel-configuration.ts'
import { pruneCache } from './prune-cache.ts'
import { runCommand } from './run-command.ts'

const configurationFile = fileURLToPath(new URL('../../kernel/lean.config', import.meta.url))

/** A slow machine compiles for a quarter of an hour. */
const compileTimeoutMs = 3_600_000

/** Kconfig reads the Kconfig and Makefile of everything there is; most of what those would compile is not unpacked. */
const notUnpacked = [
  'Documentation/*/*',
  'tools/perf',
  'tools/testing',
  'sound/*.[ch]',
  'samples/*.[ch]',
  'rust/*.rs',
  'fs/btrfs/*.c',
  'fs/xfs/*.c',
  ...'alpha arc arm arm64 csky hexagon ia64 loongarch m68k microblaze mips nios2 openrisc parisc powerpc riscv s390 sh sparc um xtensa'
    .split(' ')
    .flatMap((name) => [`arch/${name}/*.[chS]`, `arch/${name}/boot/dts`, `arch/${name}/configs`]),
  ...'clk comedi crypto dma gpu hid hwmon i2c iio infiniband input md media mfd misc mmc mtd net/* phy pinctrl platform regulator s390 scsi soc spi staging usb video'
    .split(' ')
    .map((name) => `drivers/${name}/*.[chS]`),
]

/** Equal sources give equal bytes, whoever compiles them and when. */
const reproducibly = [
  'KBUILD_BUILD_TIMESTAMP=@0',
  'KBUILD_BUILD_USER=aleph',
  'KBUILD_BUILD_HOST=aleph',
  'KCFLAGS=-O2',
]

/**
 * Writes the kernel of machines with one vCPU to `output`, compiled from Debian's sources with `kernel/lean.config`,
 * or copied from an earlier compilation of the same. Throws `image_build_failed` when an option of that did not take.
 */
export async function buildLeanKernel(options: {
  archive: DebianArchive
  cacheDir: string
  workFolder: string
  output: string
  onProgress: (step: string) => void
}): Promise<void> {
  const { archive, onProgress } = options
  onProgress('fetching the sources of the kernel')
  const source = await fetchSource(archive)
  const cache = join(options.cacheDir, 'lean-kernels')
  const name = await compilationName(source)
  const kept = join(cache, name)
  await mkdir(cache, { recursive: true })
  if (!(await exists(kept))) {
    const tree = join(options.workFolder, 'linux')
    onProgress('compiling the kernel, which takes some minutes')
    await unpackSource(source, tree)
    await configure(tree)
    await make(tree, ['vmlinux', `-j${availableParallelism()}`])
    const partial = `${kept}.partial`
    await copyFile(join(tree, 'vmlinux'), partial)
    await rename(partial, kept)
    await rm(tree, { recursive: true })
    await pruneCache(cache, name, () => true)
  }
  await copyFile(kept, options.output)
}

/** The package of sources that belongs to the present binary kernel. */
async function fetchSource(archive: DebianArchive): Promise<string> {
  const binary = await kernelPackage(archive)
  const series = /^linux-image-(\d+\.\d+)\./.exec(binary)?.[1]
  if (series === undefined)
    throw new GuestError('image_build_failed', `No kernel series is named in ${binary}`)
  const [file] = await archive.fetch([`linux-source-${series}`])
  return file!
}

/** Names the sources' version, and everything of ours that the result depends on. */
async function compilationName(source: string): Promise<string> {
  const digest = createHash('sha256')
  for (const file of [configurationFile, fileURLToPath(import.meta.url)]) digest.update(await readFile(file))
  const version = basename(source).split('_')[1]!
  return `${version}-${digest.digest('hex').slice(0, 16)}`
}

async function unpackSource(source: string, tree: string): Promise<void> {
  const unpacked = `${tree}.deb`
  await runCommand('dpkg-deb', ['-x', source, unpacked])
  await mkdir(tree)
  const name = basename(source).split('_')[0]
  const archive = join(unpacked, 'usr/src', `${name}.tar.xz`)
  const excluded = notUnpacked.map((pattern) => `--exclude=*/${pattern}`)
  await runCommand('tar', ['-xJf', archive, '-C', tree, '--strip-components=1', ...excluded])
  await rm(unpacked, { recursive: true })
  await withoutObjtool(tree)
}

/** Objtool needs libelf to be built; what it would do for this kernel is an optimisation of a few jumps. */
async function withoutObjtool(tree: string): Promise<void> {
  const file = join(tree, 'arch/x86/Kconfig')
  const text = await readFile(file, 'utf8')
  const changed = text.replace(/^\tselect HAVE_OBJTOOL\b.*\n/m, '')
  if (changed === text) throw new GuestError('image_build_failed', `${file} selects no HAVE_OBJTOOL`)
  await writeFile(file, changed)
}

async function configure(tree: string): Promise<void> {
  await make(tree, ['allnoconfig', `KCONFIG_ALLCONFIG=${configurationFile}`])
  const wished = await readFile(configurationFile, 'utf8')
  const refused = refusedOptions(wished, await readFile(join(tree, '.config'), 'utf8'))
  if (refused.length === 0) return
  throw new GuestError('image_build_failed', `The kernel did not take these options: ${refused.join(', ')}`)
}

async function make(tree: string, goals: readonly string[]): Promise<void> {
  const args = ['--silent', 'ARCH=x86', ...reproducibly, ...goals]
  await runCommand('make', args, { cwd: tree, timeoutMs: compileTimeoutMs })
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
