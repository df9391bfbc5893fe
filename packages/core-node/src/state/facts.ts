import type { Place } from '@aleph-ts/protocol'
import type pg from 'pg'
import { type Candidate, hashOf } from '../pipeline/candidate.ts'

/** Tables of what holds over a span of the order, with the column that names the message. */
const spanTables = {
  ruling_elements: 'item_hash',
  stored_files: 'item_hash',
  vm_versions: 'item_hash',
  file_uses: 'vm_hash',
  charges: 'item_hash',
} as const

/** Takes back everything that messages let others be judged by. */
export async function removeFacts(tx: pg.PoolClient, hashes: string[]): Promise<void> {
  for (const [table, column] of Object.entries(spanTables)) {
    await tx.query(`delete from ${table} where ${column} = any($1)`, [hashes])
  }
}

/** Says until where in the order the facts of messages hold. */
export async function endFacts(
  tx: pg.PoolClient,
  ends: { itemHash: string; until: Place | null }[],
): Promise<void> {
  const values = [ends.map((end) => end.itemHash), ends.map((end) => end.until)]
  for (const [table, column] of Object.entries(spanTables)) {
    await tx.query(
      `update ${table} f set until = v.until from unnest($1::text[], $2::text[]) as v(item_hash, until)
       where f.${column} = v.item_hash`,
      values,
    )
  }
}

/** Keeps what messages add to what their accounts owe. */
export async function insertCharges(tx: pg.PoolClient, candidates: Candidate[]): Promise<void> {
  const charged = candidates.filter((candidate) => candidate.charge !== undefined)
  if (charged.length === 0) return
  await tx.query({
    name: 'insert-charges',
    text: `insert into charges (item_hash, account, payment_type, amount, place)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::text[])
           on conflict (item_hash) do update set amount = excluded.amount, place = excluded.place, until = null`,
    values: [
      charged.map(hashOf),
      charged.map((candidate) => candidate.charge!.account),
      charged.map((candidate) => candidate.charge!.paymentType),
      charged.map((candidate) => candidate.charge!.amount),
      charged.map((candidate) => candidate.place),
    ],
  })
}
