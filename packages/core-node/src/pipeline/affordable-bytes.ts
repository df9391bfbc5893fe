import { type ClaimedSize, type Envelope, mostBlockBytes, type StoreContent } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import { firstConfirmations } from '../state/confirmations.ts'
import { storeShortfall } from './store-shortfall.ts'

export interface AffordableBytesOptions extends Pick<CoreNodeContext, 'pool' | 'profile' | 'logger'> {
  /** Brings balances up to the head of the chain. */
  refreshBalances: () => Promise<void>
}

/**
 * How many bytes of a CID's DAG are worth fetching for a STORE message, by what its root says: only what its owner can
 * pay for. The message's verdict is by the real size; here nothing is stopped that could pass it. A message that a
 * chain has confirmed was paid for when other nodes took it, and may be judged by the balance of another day.
 *
 * @throws {ProtocolError} when the owner can surely not pay
 */
export async function affordableBytes(
  envelope: Envelope,
  content: StoreContent,
  { kind, size }: ClaimedSize,
  options: AffordableBytesOptions,
): Promise<number> {
  const { pool, profile } = options
  const { carBytes } = profile.limits
  const isConfirmed = (await firstConfirmations(pool, [envelope.item_hash])).size > 0
  if (!isConfirmed) await requirePayment(envelope, content, size, options)
  // Twice, because an archive also names every block.
  if (kind === 'file') return Math.min(carBytes, 2 * mostBlockBytes(size))
  if (isConfirmed) return carBytes
  // Folders may hold more than their root says, and cost what they hold.
  let bytes = mostBlockBytes(size)
  while (bytes < carBytes && !(await storeShortfall(options, envelope, content, bytes))) bytes *= 2
  return Math.min(carBytes, 2 * bytes)
}

async function requirePayment(
  envelope: Envelope,
  content: StoreContent,
  size: number,
  options: AffordableBytesOptions,
): Promise<void> {
  const { logger, refreshBalances } = options
  if (!(await storeShortfall(options, envelope, content, size))) return
  try {
    await refreshBalances()
  } catch (error) {
    logger.warn(
      { err: error },
      'balances cannot be refreshed; a file is fetched before it is known to be paid',
    )
    return
  }
  const shortfall = await storeShortfall(options, envelope, content, size)
  if (shortfall) throw shortfall
}
