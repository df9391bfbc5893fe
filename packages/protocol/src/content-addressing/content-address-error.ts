/**
 * `invalid_cid`: not a CID in its canonical text; `unsupported_cid`: a hash or codec this network does not use;
 * `wrong_bytes`: bytes do not have the hash they are claimed to have; `invalid_car`: not a CAR; `invalid_dag`: blocks
 * that are no consistent UnixFS; `missing_block`: a block that a DAG names is not there; `too_large`: beyond a limit;
 * `not_found`: no such path; `not_a_file`, `not_a_directory`: another kind of node; `invalid_path`: not a name or path
 * that a directory can hold.
 */
export type ContentAddressErrorCode =
  | 'invalid_cid'
  | 'unsupported_cid'
  | 'wrong_bytes'
  | 'invalid_car'
  | 'invalid_dag'
  | 'missing_block'
  | 'too_large'
  | 'not_found'
  | 'not_a_file'
  | 'not_a_directory'
  | 'invalid_path'

/** Content that is not what its address says, or an address that leads nowhere. */
export class ContentAddressError extends Error {
  override readonly name = 'ContentAddressError'
  readonly code: ContentAddressErrorCode

  constructor(code: ContentAddressErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
