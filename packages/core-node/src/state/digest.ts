import { createSha256 } from '@aleph-ts/protocol'
import type pg from 'pg'

/** Every table of the state, without what only this node knows (when and in which
 * order messages came) and without proofs, of which a message may have several. */
const tables = {
  messages: `item_hash, status, type, chain, sender, item_type, item_content, content, owner, content_type,
    content_ref, content_key, content_item_hash, payment_type, tags, place, first_confirmed_at, first_confirmed_height`,
  forgotten_messages: `item_hash, type, chain, sender, owner, payment_type, size, forgotten_at, forgotten_by, place,
    until, first_confirmed_at`,
  message_confirmations: 'item_hash, tx_hash',
  posts: 'item_hash, owner, type, ref, amends, channel, created, latest_amend, last_updated, tags',
  aggregate_elements: 'item_hash, owner, key, content, time',
  aggregates: 'owner, key, content, created, last_updated, first_hash, last_revision_hash',
  file_pins: 'file_hash, type, owner, item_hash, ref, tag, created',
  file_tags: 'tag, owner, file_hash, last_updated, item_hash',
  vms: 'item_hash, owner, type, persistent, allow_amend, payment_type, replaces, created, content',
  account_costs: 'owner, item_hash, type, name, ref, payment_type, cost_hold, cost_stream, cost_credit',
  forget_targets: 'forget_hash, target, place',
  ruling_elements: 'item_hash, owner, key, content, time, place, until',
  stored_files: 'item_hash, owner, tag, is_revision, file_hash, size, created, place, until',
  vm_versions: 'item_hash, owner, replaces, allow_amend, created, place, until',
  file_uses: 'vm_hash, ref, place, until',
  credit_history: `credit_ref, credit_index, address, amount, expiration_date, message_timestamp, place, price,
    bonus_amount, tx_hash, token, chain, provider, origin, origin_ref, payment_method, expense_count, expense_size_mib`,
  credit_lots: 'address, credit_ref, credit_index, amount_remaining, expiration_date, message_timestamp',
  reported_balances: 'address, chain, dapp, balance, eth_height, item_hash',
  crn_metrics: `item_hash, node_id, measured_at, base_latency, base_latency_ipv4, full_check_latency,
    diagnostic_vm_latency`,
  ccn_metrics: `item_hash, node_id, measured_at, base_latency, base_latency_ipv4, metrics_latency, aggregate_latency,
    file_download_latency, pending_messages, eth_height_remaining`,
  charges: 'item_hash, account, payment_type, amount, place, until',
}

/**
 * Pins of uploads and of archives packed here (which name no transaction yet) tell what a node was given and does, not
 * what the network agreed on.
 */
const shared: Partial<Record<keyof typeof tables, string>> = {
  file_pins: `where type <> 'grace_period' and not (type = 'tx' and item_hash = file_hash)`,
}

/** sha256 over each table of the state: nodes with the same messages have the same digests, whatever the order. */
export async function stateDigests(
  pool: pg.Pool | pg.PoolClient,
): Promise<Record<keyof typeof tables, string>> {
  const digests = {} as Record<keyof typeof tables, string>
  for (const [table, columns] of Object.entries(tables) as [keyof typeof tables, string][]) {
    const { rows } = await pool.query<{ row: string }>(
      `select t::text as row from (select ${columns} from ${table} ${shared[table] ?? ''}) t
       order by t::text collate "C"`,
    )
    const sha256 = createSha256()
    for (const { row } of rows) sha256.update(Buffer.from(`${row}\n`))
    digests[table] = sha256.hex()
  }
  return digests
}
