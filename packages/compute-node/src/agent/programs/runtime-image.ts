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

/** What a runtime image says of itself: the argv before the entrypoint, and its environment. */
export type RuntimeManifest = z.infer<typeof manifestSchema>

const manifests = new Map<string, RuntimeManifest>()
const MAX_MANIFESTS = 256

/**
 * Checks that a downloaded runtime is one of ours and reads its manifest. Answers are kept by content hash.
 * Throws AgentError `unknown_runtime`.
 */
export async function readRuntime(image: DiskImage): Promise<RuntimeManifest> {
  const known = manifests.get(image.sha256)
  if (known) return known
  if (!(await isSquashfs(image.path))) {
    throw unknown(`file ${image.sha256} is no whole squashfs image`)
  }
  const text = await readSquashfsFile(image.path, MANIFEST_PATH)
  if (text === null) throw unknown(`file ${image.sha256} holds no /${MANIFEST_PATH}`)
  const manifest = manifestSchema.safeParse(parseJson(text))
  if (!manifest.success) throw unknown(`/${MANIFEST_PATH}: ${z.prettifyError(manifest.error)}`)
  if (manifests.size >= MAX_MANIFESTS) manifests.clear()
  manifests.set(image.sha256, manifest.data)
  return manifest.data
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
