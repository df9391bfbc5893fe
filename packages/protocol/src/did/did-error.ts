/**
 * `invalid_did`: no DID, or not an account of its chain; `unsupported_method`: a DID of another method than `pkh`;
 * `unsupported_chain`: an account we know nothing of.
 */
export type DidErrorCode = 'invalid_did' | 'unsupported_method' | 'unsupported_chain'

/** Text is not a DID of an account of the network, or an account has no DID. */
export class DidError extends Error {
  override readonly name = 'DidError'
  readonly code: DidErrorCode

  constructor(code: DidErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
