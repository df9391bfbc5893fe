import { type CreditEntry, CreditLedger, type CreditLot, creditBalance, type Place } from '@aleph-ts/protocol'
import type pg from 'pg'

/** An entry of the history and where its post stands in the order of messages. */
export interface PlacedEntry extends CreditEntry {
  place: Place
}

/** A lease that a post of the state paid. */
interface PaidLease {
  lease: string
  ref: string
  place: Place
}

export interface CreditQuestions {
  /** No answer will be asked for an earlier place. */
  from: Place | undefined
  /** Leases that may have been paid before. */
  leases?: string[]
  /** Posts that are judged again: what they did does not stand before themselves. */
  judged?: string[]
}

/** Credits of some accounts as of any place of the order. */
export class CreditBooks {
  readonly #lots: Map<string, CreditLot[]>
  /** Whole histories, for accounts in which something came later than the first place asked for. */
  readonly #histories: Map<string, PlacedEntry[]>
  readonly #paidLeases: PaidLease[]

  private constructor(
    lots: Map<string, CreditLot[]>,
    histories: Map<string, PlacedEntry[]>,
    paidLeases: PaidLease[],
  ) {
    this.#lots = lots
    this.#histories = histories
    this.#paidLeases = paidLeases
  }

  static async load(
    tx: pg.PoolClient | pg.Pool,
    addresses: string[],
    { from, leases = [], judged = [] }: CreditQuestions,
  ): Promise<CreditBooks> {
    if (addresses.length === 0 || from === undefined) return new CreditBooks(new Map(), new Map(), [])
    const later = await tx.query<{ address: string }>({
      name: 'credit-accounts-with-later-entries',
      text: `select address from unnest($1::text[]) as a(address)
             where exists (select from credit_history h
               where h.address = a.address and (h.place >= $2 or h.credit_ref = any($3)))`,
      values: [addresses, from, judged],
    })
    const replayed = later.rows.map((row) => row.address)
    return new CreditBooks(
      await loadLots(tx, addresses),
      await loadHistories(tx, replayed),
      await loadPaidLeases(tx, leases),
    )
  }

  /** What accounts have left, and which leases are paid, before the place of a post. */
  ledgerBefore(addresses: string[], post: { itemHash: string; place: Place }): CreditLedger {
    const { itemHash, place } = post
    const ledger = CreditLedger.of(addresses.flatMap((address) => this.#lotsBefore(address, place, itemHash)))
    for (const paid of this.#paidLeases) {
      if (paid.place < place && paid.ref !== itemHash) ledger.payLease(paid.lease)
    }
    return ledger
  }

  /** Credits that an account can spend at a place, at a time in epoch seconds. */
  balanceBefore(address: string, place: Place, time: number): bigint {
    return creditBalance(this.#lotsBefore(address, place), time)
  }

  #lotsBefore(address: string, place: Place, except?: string): readonly CreditLot[] {
    const history = this.#histories.get(address)
    if (history === undefined) return this.#lots.get(address) ?? []
    return replayEntries(history.filter((entry) => entry.place < place && entry.ref !== except)).lots(address)
  }
}

/** What each account can spend at a time, epoch seconds; decimal text by account. */
export async function loadCreditBalances(
  tx: pg.PoolClient | pg.Pool,
  addresses: string[],
  time: number,
): Promise<Map<string, string>> {
  const lots = await loadLots(tx, addresses)
  return new Map(addresses.map((address) => [address, String(creditBalance(lots.get(address) ?? [], time))]))
}

/** The lots that entries, in the order of their places, leave. */
function replayEntries(entries: PlacedEntry[]): CreditLedger {
  const ledger = new CreditLedger()
  for (const entry of entries) {
    if (entry.amount > 0n) ledger.grant(entry)
    else ledger.drain(entry.address, -entry.amount, entry.time)
  }
  return ledger
}

async function loadLots(tx: pg.PoolClient | pg.Pool, addresses: string[]): Promise<Map<string, CreditLot[]>> {
  const { rows } = await tx.query<CreditLot & { remaining: string; expiration: bigint | null }>({
    name: 'load-credit-lots',
    text: `select address, credit_ref as ref, credit_index as index, amount_remaining::text as remaining,
             expiration_date as expiration, message_timestamp as time
           from credit_lots where address = any($1)`,
    values: [addresses],
  })
  const lots = rows.map((row) => ({
    ...row,
    remaining: BigInt(row.remaining),
    expiration: row.expiration === null ? null : Number(row.expiration),
  }))
  return Map.groupBy(lots, (lot) => lot.address)
}

async function loadHistories(
  tx: pg.PoolClient | pg.Pool,
  addresses: string[],
): Promise<Map<string, PlacedEntry[]>> {
  if (addresses.length === 0) return new Map()
  const { rows } = await tx.query<PlacedEntry & { amount: string; expiration: bigint | null }>(
    `select credit_ref as ref, credit_index as index, address, amount::text as amount, expiration_date as expiration,
       message_timestamp as time, place, '{}'::json as facts
     from credit_history where address = any($1) order by address, place, credit_index`,
    [addresses],
  )
  const entries = rows.map((row) => ({
    ...row,
    amount: BigInt(row.amount),
    expiration: row.expiration === null ? null : Number(row.expiration),
  }))
  return Map.groupBy(entries, (entry) => entry.address)
}

async function loadPaidLeases(tx: pg.PoolClient | pg.Pool, leases: string[]): Promise<PaidLease[]> {
  if (leases.length === 0) return []
  const { rows } = await tx.query<PaidLease>(
    `select distinct origin_ref as lease, credit_ref as ref, place from credit_history
     where origin_ref = any($1) and origin_ref like 'lease/%'`,
    [leases],
  )
  return rows
}

/** Adds the entries of posts and brings the lots of their accounts up to date. */
export async function insertCreditEntries(tx: pg.PoolClient, entries: PlacedEntry[]): Promise<void> {
  if (entries.length === 0) return
  const rows = entries.map(({ amount, facts, ...entry }) => ({ ...entry, ...facts, amount: String(amount) }))
  await tx.query(
    `insert into credit_history (credit_ref, credit_index, address, amount, expiration_date, message_timestamp, place,
       price, bonus_amount, tx_hash, token, chain, provider, origin, origin_ref, payment_method, expense_count,
       expense_size_mib)
     select ref, index, address, amount, expiration, time, place, price, "bonusAmount", "txHash", token, chain, provider,
       origin, "originRef", "paymentMethod", "expenseCount", "expenseSizeMib"
     from json_to_recordset($1) as r(ref text, index int, address text, amount numeric, expiration bigint, time float8,
       place text, price text, "bonusAmount" float8, "txHash" text, token text, chain text, provider text, origin text,
       "originRef" text, "paymentMethod" text, "expenseCount" bigint, "expenseSizeMib" float8)`,
    [JSON.stringify(rows)],
  )
  await refreshLots(tx, entries)
}

/** Takes back the entries of posts. */
export async function removeCreditEntries(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  const { rows } = await tx.query<{ address: string }>(
    'delete from credit_history where credit_ref = any($1) returning address',
    [hashes],
  )
  await replayAccounts(tx, [...new Set(rows.map((row) => row.address))])
}

/** Entries of posts, in one form by which they can be compared. */
export function entriesAsText(entries: CreditEntry[]): string {
  return JSON.stringify(
    entries.map(({ index, address, amount, time, expiration }) => [
      index,
      address,
      String(amount),
      time,
      expiration,
    ]),
  )
}

/** In order, new entries go on where the lots were left; out of order, the account is replayed. */
async function refreshLots(tx: pg.PoolClient, entries: PlacedEntry[]): Promise<void> {
  const first = new Map<string, Place>()
  for (const { address, place } of entries) {
    const known = first.get(address)
    if (known === undefined || place < known) first.set(address, place)
  }
  const fresh = new Set(entries.map((entry) => entry.ref))
  const { rows } = await tx.query<{ address: string }>(
    `select a.address from unnest($1::text[], $2::text[]) as a(address, place)
     where exists (select from credit_history h where h.address = a.address and h.place > a.place
       and h.credit_ref <> all($3))`,
    [[...first.keys()], [...first.values()], [...fresh]],
  )
  const late = new Set(rows.map((row) => row.address))
  await replayAccounts(tx, [...late])
  const inOrder = [...first.keys()].filter((address) => !late.has(address))
  const ledger = CreditLedger.of([...(await loadLots(tx, inOrder)).values()].flat())
  for (const entry of entries.filter(({ address }) => !late.has(address))) {
    if (entry.amount > 0n) ledger.grant(entry)
    else ledger.drain(entry.address, -entry.amount, entry.time)
  }
  await replaceLots(tx, inOrder, ledger)
}

async function replayAccounts(tx: pg.PoolClient, addresses: string[]): Promise<void> {
  if (addresses.length === 0) return
  const histories = await loadHistories(tx, addresses)
  await replaceLots(tx, addresses, replayEntries([...histories.values()].flat()))
}

async function replaceLots(tx: pg.PoolClient, addresses: string[], ledger: CreditLedger): Promise<void> {
  if (addresses.length === 0) return
  await tx.query('delete from credit_lots where address = any($1)', [addresses])
  const lots = addresses.flatMap((address) => ledger.lots(address).filter((lot) => lot.remaining > 0n))
  await tx.query(
    `insert into credit_lots (address, credit_ref, credit_index, amount_remaining, expiration_date, message_timestamp)
     select * from unnest($1::text[], $2::text[], $3::int[], $4::numeric[], $5::bigint[], $6::float8[])`,
    [
      lots.map((lot) => lot.address),
      lots.map((lot) => lot.ref),
      lots.map((lot) => lot.index),
      lots.map((lot) => String(lot.remaining)),
      lots.map((lot) => lot.expiration),
      lots.map((lot) => lot.time),
    ],
  )
}
