/** Bytes that cannot be kept; `code` says why. */
export class FileStoreError extends Error {
  readonly code: 'file_too_large' | 'hash_mismatch'

  constructor(code: FileStoreError['code'], message: string) {
    super(message)
    this.code = code
  }
}
