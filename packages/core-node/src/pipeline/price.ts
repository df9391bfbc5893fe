import {
  balanceShortfall,
  type CostInput,
  type CostRow,
  computeCost,
  defaultPricing,
  defaultSettings,
  type NetworkProfile,
  type PaymentType,
  type PricingAggregate,
  ProtocolError,
  paymentTypeOf,
  paymentVerdict,
  pricingSchema,
  type SettingsAggregate,
  settingsSchema,
  totalCost,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import { loadBalances } from '../chains/balances.ts'
import { loadAggregates } from '../state/aggregates.ts'
import { loadCostTotals } from '../state/costs.ts'
import { referenceKey } from '../state/files.ts'
import { isVmMessage } from '../state/vms.ts'
import { accountOf, alive, type Candidate, contentOf, fail, isOfType } from './candidate.ts'
import type { FileSizes } from './fetch.ts'
import { fromUnits, toUnits } from './fixed-point.ts'

/** Fourth step: what a message costs, and whether its owner can pay (protocol 02 §13). */
export async function price(
  tx: pg.PoolClient,
  candidates: Candidate[],
  profile: NetworkProfile,
  fileSizes: FileSizes,
): Promise<void> {
  const priced = alive(candidates).filter(
    (candidate) => isOfType(candidate, 'STORE') || isVmMessage(candidate),
  )
  if (priced.length === 0) return
  const tariff = await loadTariff(tx, profile)
  const accounts = await loadAccounts(tx, priced)
  for (const candidate of priced) {
    try {
      const input = costInput(candidate, tariff, fileSizes)
      const paymentType = paymentTypeOf(input.type, input.content)
      const account = accounts.get(accountKey(accountOf(candidate), paymentType))!
      candidate.costs = chargeTo(account, input, candidate, profile)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      const isStale = error.code === 'BALANCE_INSUFFICIENT' && !candidate.balancesAreFresh
      if (isStale) candidate.outcome = { kind: 'deferred', until: 'balances are fresh' }
      else fail(candidate, error)
    }
  }
}

export interface Tariff {
  pricing: PricingAggregate
  settings: SettingsAggregate
}

/** Prices and settings in force: the network's own aggregates where they are published, else the built-in ones. */
export async function loadTariff(tx: pg.PoolClient | pg.Pool, profile: NetworkProfile): Promise<Tariff> {
  const owner = profile.addresses.settings
  const pricing = pricingSchema.safeParse((await loadAggregates(tx, 'pricing', [owner])).get(owner))
  const settings = settingsSchema.safeParse((await loadAggregates(tx, 'settings', [owner])).get(owner))
  return {
    pricing: pricing.success ? pricing.data : defaultPricing,
    settings: settings.success ? settings.data : defaultSettings,
  }
}

function costInput(candidate: Candidate, tariff: Tariff, fileSizes: FileSizes): CostInput {
  const { type, item_hash: itemHash } = candidate.envelope
  const storedFileSize = isOfType(candidate, 'STORE')
    ? fileSizes.get(contentOf(candidate, 'STORE').item_hash)
    : undefined
  return {
    type,
    content: candidate.parsed!.content,
    itemHash,
    storedFileSize,
    fileSize: (file) => candidate.files?.get(referenceKey(file))?.size,
    ...tariff,
  } as CostInput
}

/**
 * Adds a message to what its owner owes.
 *
 * @throws {ProtocolError} when it cannot be paid, or not in this way; the account is unchanged then
 */
function chargeTo(
  account: Account,
  input: CostInput,
  candidate: Candidate,
  profile: NetworkProfile,
): CostRow[] {
  const costs = computeCost(input)
  const paymentType = paymentTypeOf(input.type, input.content)
  const messageCost = totalCost(costs, paymentType)
  const verdict = paymentVerdict(input, { time: candidate.receptionTime.getTime() / 1000 }, profile)
  if (verdict === 'refused') throw new ProtocolError('INVALID_PAYMENT_METHOD')
  if (verdict === 'check' && paymentType !== 'superfluid') {
    const { balance, due } = account
    const shortfall = balanceShortfall({ paymentType, existingCost: fromUnits(due), messageCost, balance })
    if (shortfall) throw shortfall
  }
  account.due += toUnits(messageCost)
  return costs
}

interface Account {
  /** Decimal text, ALEPH or credits. */
  balance: string
  /** What the owner's messages cost together, in 10⁻¹⁸. */
  due: bigint
}

async function loadAccounts(tx: pg.PoolClient, candidates: Candidate[]): Promise<Map<string, Account>> {
  const accounts = new Map<string, Account>()
  const byPayment = Map.groupBy(candidates, (candidate) =>
    paymentTypeOf(candidate.envelope.type as CostInput['type'], candidate.parsed!.content),
  )
  for (const [paymentType, payers] of byPayment) {
    const owners = [...new Set(payers.map(accountOf))]
    const totals = await loadCostTotals(tx, owners, paymentType)
    // Credits come with their ledger; until then nobody has any.
    const balances = paymentType === 'hold' ? await loadBalances(tx, owners) : new Map<string, string>()
    for (const owner of owners) {
      const account = { balance: balances.get(owner) ?? '0', due: toUnits(totals.get(owner) ?? '0') }
      accounts.set(accountKey(owner, paymentType), account)
    }
  }
  return accounts
}

function accountKey(owner: string, paymentType: PaymentType): string {
  return `${paymentType}:${owner}`
}
