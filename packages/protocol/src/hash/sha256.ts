export { createSha256, sha256Bytes, sha256Hex } from '#sha256'

/** A running sha256: feed it chunks, read the lower-case hex digest of what it has seen at any moment. */
export interface Sha256 {
  update(bytes: Uint8Array): this
  hex(): string
}
