/** What can go wrong in this package, by stable code. */
export type GuestErrorCode =
  | 'host_tool_missing'
  | 'image_build_failed'
  | 'image_download_failed'
  | 'channel_timeout'
  | 'channel_closed'
  | 'channel_protocol'
  | 'control_refused'
  | 'control_invalid'
  | 'stream_reset'
  | 'stream_limit'

/** Every error of this package: `code` is stable, the message says what was wrong and how to mend it. */
export class GuestError extends Error {
  override readonly name = 'GuestError'
  readonly code: GuestErrorCode

  constructor(code: GuestErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
