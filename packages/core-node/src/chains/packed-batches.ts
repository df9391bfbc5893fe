import { batchArchive, type Envelope, messageTree, mostBatchMessages } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import { inTransaction } from '../database/pool.ts'
import { insertFiles } from '../state/files.ts'

/** Text of all messages of one batch, characters: what every node must fetch and hold to read it. */
const mostBatchCharacters = 32 * 1024 * 1024

/** A batch of ours on its way to the chain. */
export interface PackedBatch {
  file_hash: string
  root: `0x${string}`
  nonce: bigint | null
  raw_transaction: `0x${string}` | null
  tx_hash: `0x${string}` | null
  sent: Date | null
  /** Block of its event, as the node has read it; null while it is not there. */
  block_number: bigint | null
}

type Context = Pick<CoreNodeContext, 'pool' | 'fileStore'>

/** Batches that may still be lost, oldest first. */
export async function openBatches(
  { pool }: Context,
  where: { chain: string; emitter: string },
): Promise<PackedBatch[]> {
  const { rows } = await pool.query<PackedBatch>(
    `select b.*, e.block_number from packed_batches b
     left join lateral (
       select max(block_number) as block_number from contract_events
       where chain = $1 and publisher = $2 and content #>> '{}' = b.file_hash
     ) e on true
     where not b.done order by b.created`,
    [where.chain, where.emitter],
  )
  return rows
}

/**
 * Packs signed messages that no chain confirmed and no batch of ours holds, the longest known first. Its file and its
 * list of messages are durable when this resolves; false when there is nothing to pack.
 */
export async function packMessages({ pool, fileStore }: Context, emitter: string): Promise<boolean> {
  const { rows } = await pool.query<Envelope>(
    `select item_hash, type, chain, sender, signature, item_type, item_content, time, channel from messages m
     where signature is not null and status = 'processed'
       and not exists (select from message_confirmations c where c.item_hash = m.item_hash)
       and not exists (select from packed_messages p where p.item_hash = m.item_hash)
     order by reception_time, item_hash limit $1`,
    [mostBatchMessages],
  )
  let characters = 0
  const messages = rows.filter(({ item_content }, index) => {
    characters += item_content?.length ?? 0
    return index === 0 || characters <= mostBatchCharacters
  })
  if (messages.length === 0) return false
  const text = new TextEncoder().encode(batchArchive(messages))
  // Other nodes look for archives in IPFS, under the older form of its names.
  const { cid, size } = await fileStore.addIpfsFile([text], { cidVersion: 0, maxBytes: text.length })
  await inTransaction(pool, async (tx) => {
    await insertFiles(tx, [{ hash: cid, size }])
    await tx.query(
      `insert into file_pins (file_hash, type, owner, item_hash, created)
       values ($1, 'tx', $2, $1, extract(epoch from now())) on conflict do nothing`,
      [cid, emitter],
    )
    await tx.query('insert into packed_batches (file_hash, root, message_count) values ($1, $2, $3)', [
      cid,
      messageTree(messages)[0],
      messages.length,
    ])
    await tx.query('insert into packed_messages (item_hash, file_hash) select unnest($1::text[]), $2', [
      messages.map((message) => message.item_hash),
      cid,
    ])
  })
  return true
}

/** Whether all events that were read have been taken in; those that cannot be read do not count. */
export async function allEventsSettled({ pool }: Context): Promise<boolean> {
  const { rows } = await pool.query(
    'select from contract_events where not settled and problem_code is null limit 1',
  )
  return rows.length === 0
}

/** Keeps a signed transaction before it is sent. */
export async function saveTransaction(
  { pool }: Context,
  fileHash: string,
  transaction: { nonce: number; raw: string; hash: string },
): Promise<void> {
  await pool.query(
    'update packed_batches set nonce = $2, raw_transaction = $3, tx_hash = $4, sent = now() where file_hash = $1',
    [fileHash, transaction.nonce, transaction.raw, transaction.hash],
  )
}

export async function markDone({ pool }: Context, fileHash: string): Promise<void> {
  await pool.query('update packed_batches set done = true where file_hash = $1', [fileHash])
}
