import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { classifyHash, FileDag, type FileLayout, otherLayouts, parseCid, sha256Hex } from '@aleph-ts/protocol'

/** Takes a file as it comes, and says in the end whether it is the one that was asked for. */
export interface ContentCheck {
  update(chunk: Uint8Array): void
  /** @param path where the bytes are, to be read again if need be */
  matches(path: string): Promise<boolean>
}

/** A check against a sha256 or a CID; a CID depends on how a file was cut into blocks, and all known ways are tried. */
export function contentCheck(hash: string): ContentCheck {
  return classifyHash(hash) === 'ipfs' ? cidCheck(hash) : sha256Check(hash)
}

/** Whether bytes are what a sha256 or a CID names. */
export function isContentOf(hash: string, bytes: Uint8Array): boolean {
  if (classifyHash(hash) !== 'ipfs') return sha256Hex(bytes) === hash
  const { version } = parseCid(hash)
  const layouts = [undefined, ...otherLayouts(version)]
  return layouts.some((layout) => {
    const dag = dagOf(hash, layout)
    return dag.update(bytes).finish().cid.toString() === hash
  })
}

function sha256Check(hash: string): ContentCheck {
  const digest = createHash('sha256')
  return {
    update: (chunk) => void digest.update(chunk),
    matches: async () => digest.digest('hex') === hash,
  }
}

function cidCheck(hash: string): ContentCheck {
  const usual = dagOf(hash)
  return {
    update: (chunk) => void usual.update(chunk),
    async matches(path) {
      if (usual.finish().cid.toString() === hash) return true
      for (const layout of otherLayouts(parseCid(hash).version)) {
        const dag = dagOf(hash, layout)
        for await (const chunk of createReadStream(path)) dag.update(chunk)
        if (dag.finish().cid.toString() === hash) return true
      }
      return false
    },
  }
}

function dagOf(hash: string, layout?: FileLayout): FileDag {
  return new FileDag({ cidVersion: parseCid(hash).version, ...(layout && { layout }) })
}
