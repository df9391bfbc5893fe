import {
  addressKey,
  balanceShortfall,
  computeCost,
  type Envelope,
  type NetworkProfile,
  ProtocolError,
  paymentTypeOf,
  paymentVerdict,
  type StoreContent,
  totalCost,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import { loadBalances } from '../chains/balances.ts'
import { loadCostTotals } from '../state/costs.ts'
import { loadCreditBalances } from '../state/credits.ts'
import { loadTariff } from './price.ts'

/** Why the owner of a STORE message could not pay for a file of this size now; null when nothing stands against it. */
export async function storeShortfall(
  { pool, profile }: { pool: pg.Pool | pg.PoolClient; profile: NetworkProfile },
  envelope: Envelope,
  content: StoreContent,
  storedFileSize: number,
): Promise<ProtocolError | null> {
  const message = { type: 'STORE', content, storedFileSize } as const
  const paymentType = paymentTypeOf('STORE', content)
  const verdict = paymentVerdict(message, { time: Date.now() / 1000 }, profile)
  if (verdict === 'refused') return new ProtocolError('INVALID_PAYMENT_METHOD')
  if (verdict !== 'check' || paymentType === 'superfluid') return null
  const costs = computeCost({
    ...message,
    itemHash: envelope.item_hash,
    ...(await loadTariff(pool, profile)),
  })
  const key = addressKey(envelope.chain, content.address)
  const totals = await loadCostTotals(pool, [key], paymentType)
  const balances =
    paymentType === 'hold'
      ? await loadBalances(pool, [key])
      : await loadCreditBalances(pool, [key], Date.now() / 1000)
  return balanceShortfall({
    paymentType,
    existingCost: totals.get(key) ?? '0',
    messageCost: totalCost(costs, paymentType),
    balance: balances.get(key) ?? '0',
  })
}
