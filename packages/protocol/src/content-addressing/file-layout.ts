import type { CidVersion } from './cid.ts'

/** How the bytes of a file become a DAG: all that its CID depends on besides the bytes and the CID's version. */
export interface FileLayout {
  /** Bytes of the file in one leaf. */
  chunkBytes: number
  /** Links in one node. */
  maxLinks: number
  /** Leaves are the bytes alone, rather than nodes that hold them. */
  rawLeaves: boolean
}

/** What Kubo's `add` does unless it is told otherwise (protocol 04 §9.1). */
export const chunkBytes = 262_144
export const maxLinks = 174

/** The layout that Kubo uses for CIDs of a version. */
export function usualLayout(cidVersion: CidVersion): FileLayout {
  return { chunkBytes, maxLinks, rawLeaves: cidVersion === 1 }
}

/**
 * Layouts in which others add files as well, so that bytes can be verified whose CID is not that of the usual layout:
 * leaves of the other kind (protocol 04, trap 7), and large leaves, as newer tools make them (profile
 * `unixfs-v1-2025`).
 */
export function otherLayouts(cidVersion: CidVersion): FileLayout[] {
  const otherLeaves = { chunkBytes, maxLinks, rawLeaves: cidVersion === 0 }
  const largeLeaves = { chunkBytes: 1_048_576, maxLinks: 1024, rawLeaves: true }
  return cidVersion === 0 ? [otherLeaves] : [otherLeaves, largeLeaves]
}
