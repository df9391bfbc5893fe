import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildLock, withLock } from './build-lock.ts'
import { buildAgent, measureTscKhz } from './compiled-tools.ts'
import { openDebianArchive } from './debian.ts'
import { assertHostTools } from './host-tools.ts'
import { buildKernelAndInitrd, kernelArguments } from './kernel.ts'
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

/** Everything a VM is started from. All paths are absolute. */
export interface GuestImages {
  /** Names the inputs these were built from; equal keys mean equal images. */
  key: string
  /** An uncompressed ELF kernel, which QEMU starts by its PVH entry. */
  kernel: string
  initrd: string
  kernelCommandLine: string
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
async function inputKey(): Promise<string> {
  const digest = createHash('sha256')
  for (const folder of ['agent', 'host', 'runtimes', 'src/images'])
    for (const path of await listSources(join(packageFolder, folder)))
      digest.update(`${path.slice(packageFolder.length)}\0`).update(await readFile(path))
  // The binary is large and its package never changes it in place: its size stands for its content.
  digest.update(`node ${(await stat(guestNodeBinary())).size}`)
  // The kernel's arguments hold a property of this processor.
  digest.update(`cpu ${cpus()[0]?.model}`)
  return digest.digest('hex').slice(0, 16)
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
export async function loadGuestImages(cacheDir: string): Promise<GuestImages | null> {
  return readIndex(join(resolve(cacheDir), await inputKey()))
}

/**
 * Builds kernel, initrd and the three runtimes without root, or returns at once what an earlier call built from
 * equal inputs. Callers at the same time wait for each other. Downloads about 50 MB once.
 * Throws `host_tool_missing` (with the command to type), `image_download_failed` or `image_build_failed`.
 */
export async function buildGuestImages(options: {
  cacheDir: string
  onProgress?: (step: string) => void
}): Promise<GuestImages> {
  const cacheDir = resolve(options.cacheDir)
  const key = await inputKey()
  const folder = join(cacheDir, key)
  const ready = await readIndex(folder)
  if (ready !== null) return ready
  await assertHostTools()
  await mkdir(cacheDir, { recursive: true })
  return withLock(buildLock(cacheDir), async () => {
    const builtMeanwhile = await readIndex(folder)
    if (builtMeanwhile !== null) return builtMeanwhile
    return build(cacheDir, key, options.onProgress ?? (() => {}))
  })
}

async function build(
  cacheDir: string,
  key: string,
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
    kernelCommandLine: kernelArguments(await measureTscKhz(workFolder)),
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
