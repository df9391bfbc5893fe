import { type PaymentType, type Place, timeOfPlace } from '@aleph-ts/protocol'
import type pg from 'pg'
import { loadBalances } from '../chains/balances.ts'
import { CreditBooks } from '../state/credits.ts'
import { accountOf, type Candidate, hashOf } from './candidate.ts'
import { fromUnits, toUnits } from './fixed-point.ts'
import { type Span, standsAt } from './span.ts'

interface Charge extends Span {
  /** In 10⁻¹⁸. */
  amount: bigint
}

interface Account {
  /** Decimal text, ALEPH held; credits are in the books. */
  balance: string
  /** What stands before every candidate at hand, in 10⁻¹⁸. */
  settled: bigint
  /** What begins or ends among the candidates. */
  charges: Charge[]
}

/** What the owners of some candidates have and owe, for any place among these candidates. */
export class Accounts {
  readonly #accounts: Map<string, Account>
  readonly #books: CreditBooks | undefined
  readonly #paymentOf: (candidate: Candidate) => PaymentType

  constructor(
    accounts: Map<string, Account>,
    books: CreditBooks | undefined,
    paymentOf: (candidate: Candidate) => PaymentType,
  ) {
    this.#accounts = accounts
    this.#books = books
    this.#paymentOf = paymentOf
  }

  /** Balance, and what everything before a candidate costs; decimal text. */
  before(candidate: Candidate): { balance: string; due: string } {
    const { balance, settled, charges } = this.#of(candidate)
    const due = charges
      .filter((charge) => standsAt(charge, candidate.place!))
      .reduce((sum, charge) => sum + charge.amount, settled)
    return { balance: this.#credits(candidate) ?? balance, due: fromUnits(due) }
  }

  /** Adds a candidate that was accepted. */
  charge(candidate: Candidate): void {
    const amount = toUnits(candidate.charge!.amount)
    this.#of(candidate).charges.push({ place: candidate.place!, until: null, amount })
  }

  #credits(candidate: Candidate): string | undefined {
    if (this.#paymentOf(candidate) !== 'credit') return undefined
    const place = candidate.place!
    return String(this.#books!.balanceBefore(accountOf(candidate), place, timeOfPlace(place)))
  }

  #of(candidate: Candidate): Account {
    return this.#accounts.get(accountKey(accountOf(candidate), this.#paymentOf(candidate)))!
  }
}

export async function loadAccounts(
  tx: pg.PoolClient,
  candidates: Candidate[],
  paymentOf: (candidate: Candidate) => PaymentType,
): Promise<Accounts> {
  const first = candidates.map((candidate) => candidate.place!).sort()[0]!
  const accounts = new Map<string, Account>()
  let books: CreditBooks | undefined
  for (const [paymentType, payers] of Map.groupBy(candidates, paymentOf)) {
    const names = [...new Set(payers.map(accountOf))]
    const balances = paymentType === 'hold' ? await loadBalances(tx, names) : new Map<string, string>()
    if (paymentType === 'credit') books = await CreditBooks.load(tx, names, { from: first })
    for (const name of names) {
      const account = { balance: balances.get(name) ?? '0', settled: 0n, charges: [] }
      accounts.set(accountKey(name, paymentType), account)
    }
    await loadCharges(tx, accounts, { names, paymentType, first, except: payers.map(hashOf) })
  }
  return new Accounts(accounts, books, paymentOf)
}

async function loadCharges(
  tx: pg.PoolClient,
  accounts: Map<string, Account>,
  wanted: { names: string[]; paymentType: PaymentType; first: Place; except: string[] },
): Promise<void> {
  const { rows } = await tx.query<Span & { account: string; amount: string }>({
    name: 'load-charges',
    text: `with apart as materialized (
             select account, amount from charges
             where account = any($1) and payment_type = $2 and place >= $3 and until is null
             union all
             select account, amount from charges
             where item_hash = any($4) and place < $3 and until is null
           )
           select account, null as place, null as until,
             (amount - coalesce((select sum(apart.amount) from apart where apart.account = charge_totals.account), 0))::text
               as amount
           from charge_totals where account = any($1) and payment_type = $2
           union all
           select account, place, until, amount::text from charges
           where account = any($1) and payment_type = $2 and place >= $3 and item_hash <> all($4)
           union all
           select account, place, until, amount::text from charges
           where account = any($1) and payment_type = $2 and until is not null and until >= $3 and place < $3
             and item_hash <> all($4)`,
    values: [wanted.names, wanted.paymentType, wanted.first, wanted.except],
  })
  for (const { account, place, until, amount } of rows) {
    const into = accounts.get(accountKey(account, wanted.paymentType))!
    if (place === null) into.settled += toUnits(amount)
    else into.charges.push({ place, until, amount: toUnits(amount) })
  }
}

function accountKey(account: string, paymentType: PaymentType): string {
  return `${paymentType}:${account}`
}
