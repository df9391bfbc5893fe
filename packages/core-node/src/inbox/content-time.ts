import { ProtocolError } from '@aleph-ts/protocol'

/**
 * Refuses what says that it is of the future, whichever way its content came.
 *
 * @param time `content.time`, epoch seconds
 * @param futureSeconds how far ahead of this node's clock it may be; null: any distance
 * @throws {ProtocolError} `INVALID_FORMAT`
 */
export function requireTimely(time: number, futureSeconds: number | null): void {
  if (futureSeconds === null || time <= Date.now() / 1000 + futureSeconds) return
  const reason = `content.time: more than ${futureSeconds} seconds ahead of this node's clock`
  throw new ProtocolError('INVALID_FORMAT', { message: reason, errors: [reason] })
}
