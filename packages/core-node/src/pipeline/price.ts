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
  timeOfPlace,
  totalCost,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import { loadAggregates } from '../state/aggregates.ts'
import { loadAccounts } from './accounts.ts'
import { accountOf, alive, type Candidate, fail, isOfType, look } from './candidate.ts'
import { chargesOf, creditsOf, holdingsOf, prices } from './names.ts'
import type { World } from './world.ts'

/** What a message costs, and whether its owner can pay, by what stands before it (protocol 02 §13). */
export async function price(tx: pg.PoolClient, candidates: Candidate[], world: World): Promise<void> {
  // Who comes first is served first, also when clocks put a message behind what it builds on.
  const priced = alive(candidates)
    .filter(isPaid)
    .sort((a, b) => (a.place! < b.place! ? -1 : 1))
  if (priced.length === 0) return
  const accounts = await loadAccounts(tx, priced, paymentOf)
  for (const candidate of priced) {
    try {
      const input = costInput(candidate, world)
      look(candidate, prices)
      candidate.costs = computeCost(input)
      const paymentType = paymentOf(candidate)
      const account = accountOf(candidate)
      candidate.charge = { account, paymentType, amount: totalCost(candidate.costs, paymentType) }
      const verdict = paymentVerdict(input, { time: timeOfPlace(candidate.place!) }, world.profile)
      if (verdict === 'refused') {
        throw new ProtocolError('INVALID_PAYMENT_METHOD', { errors: [{ payment_type: paymentType }] })
      }
      if (verdict === 'check' && paymentType !== 'superfluid') {
        look(candidate, chargesOf(account, paymentType))
        if (paymentType === 'credit') look(candidate, creditsOf(account))
        const { balance, due } = accounts.before(candidate)
        const question = { paymentType, existingCost: due, messageCost: candidate.charge.amount, balance }
        const shortfall = balanceShortfall(question)
        if (shortfall) throw shortfall
      }
      accounts.charge(candidate)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      refuse(candidate, error)
    }
  }
}

/** A balance read a while ago is no reason to refuse anybody: it is read again first. */
function refuse(candidate: Candidate, error: ProtocolError): void {
  if (error.code !== 'BALANCE_INSUFFICIENT') {
    fail(candidate, error)
    return
  }
  // More ALEPH may come at any time; it has no place in the order of messages.
  look(candidate, holdingsOf(accountOf(candidate)), 'ever')
  const isStale = !candidate.balancesAreFresh && candidate.standing === undefined
  if (isStale) candidate.outcome = { kind: 'deferred', until: 'balances are fresh' }
  else fail(candidate, error)
}

export function isPaid(candidate: Candidate): boolean {
  return isOfType(candidate, 'STORE', 'PROGRAM', 'INSTANCE', 'V-PROGRAM')
}

/** How a paid message pays. */
export function paymentOf(candidate: Candidate): PaymentType {
  return paymentTypeOf(candidate.envelope.type as CostInput['type'], candidate.parsed!.content)
}

export interface Tariff {
  pricing: PricingAggregate
  settings: SettingsAggregate
}

/** Prices and settings of today: the network's own aggregates where they are published, else the built-in ones. */
export async function loadTariff(tx: pg.PoolClient | pg.Pool, profile: NetworkProfile): Promise<Tariff> {
  const owner = profile.addresses.settings
  return readTariff(
    (await loadAggregates(tx, 'pricing', [owner])).get(owner),
    (await loadAggregates(tx, 'settings', [owner])).get(owner),
  )
}

/** Prices and settings in force where a candidate stands. */
function tariffBefore(candidate: Candidate, world: World): Tariff {
  const owner = world.profile.addresses.settings
  return readTariff(
    world.ruling(owner, 'pricing', candidate.place!),
    world.ruling(owner, 'settings', candidate.place!),
  )
}

function readTariff(pricing: unknown, settings: unknown): Tariff {
  const readPricing = pricingSchema.safeParse(pricing)
  const readSettings = settingsSchema.safeParse(settings)
  return {
    pricing: readPricing.success ? readPricing.data : defaultPricing,
    settings: readSettings.success ? readSettings.data : defaultSettings,
  }
}

function costInput(candidate: Candidate, world: World): CostInput {
  const { type, item_hash: itemHash } = candidate.envelope
  return {
    type,
    content: candidate.parsed!.content,
    itemHash,
    storedFileSize: candidate.fileSize,
    fileSize: (file: { ref: string; use_latest: boolean }) => world.file(file, candidate)?.size,
    ...tariffBefore(candidate, world),
  } as CostInput
}

/** Whether two bills are the same, row by row. */
export function sameCosts(a: CostRow[], b: CostRow[]): boolean {
  return JSON.stringify(canonical(a)) === JSON.stringify(canonical(b))
}

function canonical(costs: CostRow[]): string[][] {
  return costs
    .map((row) => [row.type, row.name, row.cost_hold, row.cost_stream, row.cost_credit].map(String))
    .sort((a, b) => (a.join() < b.join() ? -1 : 1))
}
