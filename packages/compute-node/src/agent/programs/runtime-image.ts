import { legacyAsgiCommand, legacyRuntimeMarker } from '@aleph-ts/guest'
import { z } from 'zod'
import type { DiskImage } from '../../supervisor/index.ts'
import { AgentError } from '../errors.ts'
import { isSquashfs, readSquashfsFile } from './squashfs.ts'

const MANIFEST_PATH = 'aleph/runtime.json'

const manifestSchema = z.object({
  name: z.string().max(64),
  command: z.array(z.string().max(4096)).max(64),
  env: z.record(z.string(), z.string()).default({}),
})
/** Of the network's first runtimes, which came with an init of their own (protocol 05 §6.7). */
const legacyEnvironment = { PYTHONPATH: '/opt/aleph/libs', PYTHONUNBUFFERED: '1' }

/** What a runtime image says of itself: the argv before the entrypoint, and its environment. */
export interface RuntimeManifest extends z.infer<typeof manifestSchema> {
  /** One of the network's first: only ASGI applications take its command. */
  isLegacy: boolean
}

const manifests = new Map<string, RuntimeManifest>()
const MAX_MANIFESTS = 256

/**
 * Reads the manifest of a downloaded runtime, or has one for the network's first ones. Answers are kept by content hash.
 * Throws AgentError `unknown_runtime`.
 */
export async function readRuntime(image: DiskImage): Promise<RuntimeManifest> {
  const known = manifests.get(image.sha256)
  if (known) return known
  if (!(await isSquashfs(image.path))) {
    throw unknown(`file ${image.sha256} is no whole squashfs image`)
  }
  const text = await readSquashfsFile(image.path, MANIFEST_PATH)
  const manifest = text === null ? await legacyManifest(image) : parseManifest(text)
  if (manifests.size >= MAX_MANIFESTS) manifests.clear()
  manifests.set(image.sha256, manifest)
  return manifest
}

function parseManifest(text: string): RuntimeManifest {
  const manifest = manifestSchema.safeParse(parseJson(text))
  if (manifest.success) return { ...manifest.data, isLegacy: false }
  throw unknown(`/${MANIFEST_PATH}: ${z.prettifyError(manifest.error)}`)
}

async function legacyManifest(image: DiskImage): Promise<RuntimeManifest> {
  if ((await readSquashfsFile(image.path, legacyRuntimeMarker)) === null) {
    throw unknown(`file ${image.sha256} holds neither /${MANIFEST_PATH} nor /${legacyRuntimeMarker}`)
  }
  return { name: 'legacy', command: await legacyAsgiCommand(), env: legacyEnvironment, isLegacy: true }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unknown(reason: string): AgentError {
  return new AgentError(
    'unknown_runtime',
    `The program's runtime is none this node can boot: ${reason}. Name the STORE message of a published runtime in runtime.ref`,
  )
}
