/** What was found wrong with a proof; every code is stable and may be matched on. */
export type AttestationErrorCode =
  | 'report_malformed'
  | 'certificate_malformed'
  | 'chain_untrusted'
  | 'signature_invalid'
  | 'chip_mismatch'
  | 'tcb_mismatch'
  | 'tcb_too_old'
  | 'measurement_mismatch'
  | 'report_data_mismatch'
  | 'policy_refused'
  | 'privilege_refused'

/** A guest or its processor did not prove what it should. Nothing secret may be sent to it. */
export class AttestationError extends Error {
  override readonly name = 'AttestationError'
  readonly code: AttestationErrorCode

  constructor(code: AttestationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
