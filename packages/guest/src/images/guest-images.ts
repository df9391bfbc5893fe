import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildLock, withLock } from './build-lock.ts'
import { buildAgent, measureTscKhz } from './compiled-tools.ts'
import { openDebianArchive } from './debian.ts'
import { assertHostTools, leanKernelTools, requiredHostTools } from './host-tools.ts'
import { buildKernelAndInitrd, kernelArguments, leanKernelArguments, writeInitrd } from './kernel.ts'
import { buildLeanKernel } from './lean-kernel.ts'
import { pruneCache } from './prune-cache.ts'
import { buildRuntimeImage } from './runtime-image.ts'
import { guestNodeBinary, type RuntimeName, runtimeNames, runtimeRecipes } from './runtime-recipes.ts'

export interface RuntimeImage {
  /** The squashfs file. */
  path: string
  sha256: string
  /** Bytes. */
  size: number
  /** What starts a program, as in the image's own `/aleph/runtime.json`. */
  command: string[]
  env: Record<string, string>
}

export const guestKernels = ['debian', 'lean'] as const

/**
 * `debian` boots every machine with Debian's kernel. `lean` has a kernel of ours besides for machines with one vCPU,
 * which starts faster where guests are emulated, and takes some minutes to compile.
 */
export type GuestKernel = (typeof guestKernels)[number]

/** What a machine boots. */
export interface KernelFiles {
  /** An uncompressed ELF kernel, which QEMU starts by its PVH entry. */
  kernel: string
  initrd: string
  kernelCommandLine: string
}

/** Everything a VM is started from. All paths are absolute. */
export interface GuestImages extends KernelFiles {
  /** Names the inputs these were built from; equal keys mean equal images. */
  key: string
  /** What machines with one vCPU boot instead, where a lean kernel was asked for. */
  lean: KernelFiles | null
  runtimes: Record<RuntimeName, RuntimeImage>
}

const packageFolder = fileURLToPath(new URL('../../', import.meta.url))
const indexFile = 'images.json'

async function listSources(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** A digest of everything of ours that the images depend on. */
async function inputKey(kernel: GuestKernel): Promise<string> {
  const digest = createHash('sha256').update(`kernel ${kernel}`)
  for (const folder of ['agent', 'host', 'kernel', 'runtimes', 'src/images'])
    for (const path of await listSources(join(packageFolder, folder)))
      digest.update(`${path.slice(packageFolder.length)}\0`).update(await readFile(path))
  // The binary is large and its package never changes it in place: its size stands for its content.
  digest.update(`node ${(await stat(guestNodeBinary())).size}`)
  // The kernel's arguments hold a property of this processor.
  digest.update(`cpu ${cpus()[0]?.model}`)
  return digest.digest('hex').slice(0, 16)
}

/** Where the lean kernel is in a folder of images. */
function leanFiles(folder: string, tscKhz: number): KernelFiles {
  return {
    kernel: join(folder, 'lean-vmlinux'),
    initrd: join(folder, 'lean-initrd'),
    kernelCommandLine: leanKernelArguments(tscKhz),
  }
}

async function describeRuntime(folder: string, name: RuntimeName): Promise<RuntimeImage> {
  const path = join(folder, `${name}.squashfs`)
  const digest = createHash('sha256')
  for await (const chunk of createReadStream(path)) digest.update(chunk)
  const { command, env } = runtimeRecipes[name]
  return { path, sha256: digest.digest('hex'), size: (await stat(path)).size, command: [...command], env }
}

async function readIndex(folder: string): Promise<GuestImages | null> {
  try {
    return JSON.parse(await readFile(join(folder, indexFile), 'utf8')) as GuestImages
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** The images for the present sources, if `buildGuestImages` has built them in this folder, else null. */
export async function loadGuestImages(
  cacheDir: string,
  kernel: GuestKernel = 'debian',
): Promise<GuestImages | null> {
  return readIndex(join(resolve(cacheDir), await inputKey(kernel)))
}

/**
 * Builds kernel, initrd and the three runtimes without root, or returns at once what an earlier call built from
 * equal inputs. Callers at the same time wait for each other. Downloads about 50 MB once.
 * With `kernel: 'lean'` it downloads another 140 MB and compiles for some minutes, once.
 * Throws `host_tool_missing` (with the command to type), `image_download_failed` or `image_build_failed`.
 */
export async function buildGuestImages(options: {
  cacheDir: string
  /** Default: `debian`. */
  kernel?: GuestKernel
  onProgress?: (step: string) => void
}): Promise<GuestImages> {
  const cacheDir = resolve(options.cacheDir)
  const kernel = options.kernel ?? 'debian'
  const key = await inputKey(kernel)
  const folder = join(cacheDir, key)
  const ready = await readIndex(folder)
  if (ready !== null) return ready
  await assertHostTools(kernel === 'lean' ? [...requiredHostTools, ...leanKernelTools] : requiredHostTools)
  await mkdir(cacheDir, { recursive: true })
  return withLock(buildLock(cacheDir), async () => {
    const builtMeanwhile = await readIndex(folder)
    if (builtMeanwhile !== null) return builtMeanwhile
    return build(cacheDir, key, kernel, options.onProgress ?? (() => {}))
  })
}

async function build(
  cacheDir: string,
  key: string,
  kernel: GuestKernel,
  onProgress: (step: string) => void,
): Promise<GuestImages> {
  const folder = join(cacheDir, key)
  const partial = `${folder}.partial`
  const workFolder = join(partial, 'work')
  await rm(partial, { recursive: true, force: true })
  await mkdir(workFolder, { recursive: true })

  onProgress('compiling the guest agent')
  const agent = await buildAgent(workFolder)
  onProgress('reading the Debian package lists')
  const archive = await openDebianArchive(join(cacheDir, 'debian'))
  onProgress('fetching and unpacking the kernel')
  await buildKernelAndInitrd({
    archive,
    agent,
    workFolder,
    kernel: join(partial, 'vmlinux'),
    initrd: join(partial, 'initrd'),
  })
  const tscKhz = await measureTscKhz(workFolder)
  if (kernel === 'lean') {
    const lean = leanFiles(partial, tscKhz)
    await buildLeanKernel({ archive, cacheDir, workFolder, output: lean.kernel, onProgress })
    await writeInitrd(lean.initrd, agent)
  }
  const runtimes = {} as Record<RuntimeName, RuntimeImage>
  for (const name of runtimeNames) {
    onProgress(`packing the ${name} runtime`)
    await buildRuntimeImage({ name, archive, workFolder, output: join(partial, `${name}.squashfs`) })
    runtimes[name] = { ...(await describeRuntime(partial, name)), path: join(folder, `${name}.squashfs`) }
  }
  const images: GuestImages = {
    key,
    kernel: join(folder, 'vmlinux'),
    initrd: join(folder, 'initrd'),
    kernelCommandLine: kernelArguments(tscKhz),
    lean: kernel === 'lean' ? leanFiles(folder, tscKhz) : null,
    runtimes,
  }
  await rm(workFolder, { recursive: true })
  await writeFile(join(partial, indexFile), `${JSON.stringify(images, null, 2)}\n`)
  await rm(folder, { recursive: true, force: true })
  await rename(partial, folder)
  await pruneCache(cacheDir, key, (name) => /^[0-9a-f]{16}(\.partial)?$/.test(name))
  onProgress('guest images are ready')
  return images
}
