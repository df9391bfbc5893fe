/** The host's network could not be made as it must be. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
  readonly code = 'network_failed'
}
