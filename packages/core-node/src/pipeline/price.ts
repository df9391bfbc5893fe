import {
  addressKey,
  type CostRow,
  computeCost,
  defaultPricing,
  defaultSettings,
  type NetworkProfile,
  type PaymentType,
  ProtocolError,
  pricingSchema,
  settingsSchema,
  totalCost,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import { loadBalances } from '../chains/balances.ts'
import { loadAggregates } from '../state/aggregates.ts'
import { loadCostTotals } from '../state/costs.ts'
import { type FileReference, referenceKey } from '../state/files.ts'
import { isPersistent, isVmMessage, vmContent } from '../state/vms.ts'
import { alive, type Candidate, contentOf, fail, isOfType, ownerOf } from './candidate.ts'
import type { FileSizes } from './fetch.ts'
import { fromUnits, toUnits } from './fixed-point.ts'

const secondsPerDay = 86_400n

/** Fourth step: what a message costs, and whether its owner can pay (protocol 02 §13). */
export async function price(
  tx: pg.ClientBase,
  candidates: Candidate[],
  profile: NetworkProfile,
  fileSizes: FileSizes,
): Promise<void> {
  const priced = alive(candidates).filter((candidate) => isOfType(candidate, 'STORE') || isVmMessage(candidate))
  if (priced.length === 0) return
  const tariff = await loadTariff(tx, profile)
  const accounts = await loadAccounts(tx, priced)
  for (const candidate of priced) {
    try {
      candidate.costs = costsOf(candidate, tariff, fileSizes)
      const paymentType = paymentTypeOf(candidate)
      const total = toUnits(totalCost(candidate.costs, paymentType))
      const account = accounts.get(accountKey(ownerOf(candidate), paymentType))!
      if (mustPay(candidate, paymentType, profile, fileSizes)) charge(account, total, paymentType)
      account.due += total
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      fail(candidate, error)
    }
  }
}

type Tariff = Pick<Parameters<typeof computeCost>[0], 'pricing' | 'settings'>

/** Prices and settings in force, from the network's own aggregates where they are published. */
export async function loadTariff(tx: pg.ClientBase | pg.Pool, profile: NetworkProfile): Promise<Tariff> {
  const owner = profile.addresses.settings
  const pricing = pricingSchema.safeParse((await loadAggregates(tx, 'pricing', [owner])).get(owner))
  const settings = settingsSchema.safeParse((await loadAggregates(tx, 'settings', [owner])).get(owner))
  return {
    pricing: pricing.success ? pricing.data : defaultPricing,
    settings: settings.success ? settings.data : defaultSettings,
  }
}

/** The payment type of a message: hold unless it says otherwise. */
export function paymentTypeOf(candidate: Candidate): PaymentType {
  return (candidate.parsed!.content as { payment?: { type: PaymentType } | null }).payment?.type ?? 'hold'
}

function costsOf(candidate: Candidate, tariff: Tariff, fileSizes: FileSizes): CostRow[] {
  const { type } = candidate.envelope
  const itemHash = candidate.envelope.item_hash
  const content = candidate.parsed!.content
  return computeCost({
    type,
    content,
    itemHash,
    ...tariff,
    fileSize: (reference: FileReference) =>
      isOfType(candidate, 'STORE')
        ? fileSizes.get(contentOf(candidate, 'STORE').item_hash)
        : candidate.files?.get(referenceKey(reference))?.size,
  } as Parameters<typeof computeCost>[0])
}

/**
 * Whether the owner's account is looked at (protocol 02 §13.7). Cut-offs are held against the time this node first saw
 * the message, which its sender cannot choose.
 *
 * @throws {ProtocolError} INVALID_PAYMENT_METHOD
 */
function mustPay(
  candidate: Candidate,
  paymentType: PaymentType,
  profile: NetworkProfile,
  fileSizes: FileSizes,
): boolean {
  const observed = candidate.receptionTime.getTime() / 1000
  const { cutoffs } = profile
  const product = productOf(candidate)
  const canBeFree = product === 'store' || product === 'program'
  if (canBeFree && cutoffs.freeStoreAndProgramUntil && observed < cutoffs.freeStoreAndProgramUntil.time) return false
  const creditOnly = !canBeFree ? earliest(cutoffs.creditOnlyFrom, cutoffs.holdAndStreamUntil) : cutoffs.creditOnlyFrom
  const tooLate = paymentType !== 'credit' && creditOnly !== null && observed >= creditOnly
  if (tooLate || !profile.paymentTypes[product].includes(paymentType)) {
    throw new ProtocolError('INVALID_PAYMENT_METHOD')
  }
  if (product === 'store') {
    const size = fileSizes.get(contentOf(candidate, 'STORE').item_hash) ?? 0
    return !(paymentType === 'hold' && size > 0 && size <= profile.limits.freeFileBytes)
  }
  // A stream is watched by the compute node it pays.
  return paymentType !== 'superfluid'
}

function productOf(candidate: Candidate): keyof NetworkProfile['paymentTypes'] {
  if (isOfType(candidate, 'STORE')) return 'store'
  if (isOfType(candidate, 'V-PROGRAM')) return 'vProgram'
  if (isOfType(candidate, 'INSTANCE')) return 'instance'
  return isPersistent(vmContent(candidate)) ? 'persistentProgram' : 'program'
}

function earliest(...times: (number | null)[]): number | null {
  const known = times.filter((time) => time !== null)
  return known.length > 0 ? Math.min(...known) : null
}

/** What an owner has and owes, in 10⁻¹⁸ ALEPH or credits. */
interface Account {
  balance: bigint
  due: bigint
}

function charge(account: Account, total: bigint, paymentType: PaymentType): void {
  const due = account.due + total
  if (paymentType === 'hold') {
    if (account.balance >= due) return
    const error = { required_balance: fromUnits(due), account_balance: fromUnits(account.balance) }
    throw new ProtocolError('BALANCE_INSUFFICIENT', { errors: [error] })
  }
  const oneDay = due * secondsPerDay
  if (account.balance >= oneDay) return
  const error = {
    required_credits: fromUnits(oneDay),
    account_credits: fromUnits(account.balance),
    min_runtime_days: 1,
  }
  throw new ProtocolError('CREDIT_INSUFFICIENT', { errors: [error] })
}

async function loadAccounts(tx: pg.ClientBase, candidates: Candidate[]): Promise<Map<string, Account>> {
  const accounts = new Map<string, Account>()
  for (const paymentType of new Set(candidates.map(paymentTypeOf))) {
    const payers = candidates.filter((candidate) => paymentTypeOf(candidate) === paymentType)
    const owners = [...new Set(payers.map(ownerOf))]
    const totals = await loadCostTotals(tx, owners, paymentType)
    const keys = new Map(payers.map((candidate) => [ownerOf(candidate), balanceKey(candidate)]))
    // Credits come with their ledger; until then nobody has any.
    const balances = paymentType === 'hold' ? await loadBalances(tx, [...keys.values()]) : new Map<string, string>()
    for (const owner of owners) {
      accounts.set(accountKey(owner, paymentType), {
        balance: toUnits(balances.get(keys.get(owner)!) ?? '0'),
        due: toUnits(totals.get(owner) ?? '0'),
      })
    }
  }
  return accounts
}

function balanceKey(candidate: Candidate): string {
  return addressKey(candidate.envelope.chain, ownerOf(candidate))
}

function accountKey(owner: string, paymentType: PaymentType): string {
  return `${paymentType}:${owner}`
}
