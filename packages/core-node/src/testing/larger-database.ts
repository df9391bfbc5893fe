import type pg from 'pg'

/** What a copied row has instead of the value of a column; `k` is the number of the copy. */
type Change = 'hash' | 'address' | 'later' | 'laterTime' | 'further'

/** Columns whose values differ between copies, so that copies are rows like any other and belong to each other. */
const changes: Record<string, Record<string, Change>> = {
  messages: {
    item_hash: 'hash',
    seq: 'further',
    sender: 'address',
    owner: 'address',
    time: 'later',
    reception_time: 'laterTime',
    content_ref: 'hash',
    content_item_hash: 'hash',
    first_confirmed_at: 'laterTime',
    first_confirmed_height: 'further',
  },
  chain_txs: { hash: 'hash', height: 'further', datetime: 'laterTime' },
  message_confirmations: { item_hash: 'hash', tx_hash: 'hash' },
  posts: {
    item_hash: 'hash',
    owner: 'address',
    ref: 'hash',
    amends: 'hash',
    latest_amend: 'hash',
    created: 'later',
    last_updated: 'later',
  },
  aggregates: {
    owner: 'address',
    first_hash: 'hash',
    last_revision_hash: 'hash',
    created: 'later',
    last_updated: 'later',
  },
  files: { hash: 'hash' },
  file_pins: {
    file_hash: 'hash',
    owner: 'address',
    item_hash: 'hash',
    ref: 'hash',
    tag: 'hash',
    created: 'later',
  },
  file_tags: {
    tag: 'hash',
    owner: 'address',
    file_hash: 'hash',
    item_hash: 'hash',
    last_updated: 'later',
  },
  vms: { item_hash: 'hash', owner: 'address', replaces: 'hash', created: 'later' },
  account_costs: { owner: 'address', item_hash: 'hash' },
  forgotten_messages: {
    item_hash: 'hash',
    sender: 'address',
    owner: 'address',
    time: 'later',
    forgotten_at: 'later',
  },
  balances: { address: 'address' },
}

const digest = (column: string) => `encode(sha256(convert_to(${column} || '#' || k, 'UTF8')), 'hex')`
const expressions: Record<Change, (column: string) => string> = {
  hash: digest,
  address: (column) => `'0x' || left(${digest(column)}, 40)`,
  later: (column) => `${column} + k * $3`,
  laterTime: (column) => `${column} + k * make_interval(secs => $3)`,
  further: (column) => `${column} + k * $4`,
}

/** Nine of ten milled messages are confirmed, a hundred by a transaction. */
const confirmations = [
  `insert into chain_txs (hash, chain, height, datetime, publisher, protocol, protocol_version, content)
   select md5('tx ' || n), 'ETH', 1000 + n, to_timestamp(1600000000 + n * 100), '0xpublisher', 'aleph', 1, '{}'
   from generate_series(0, $1::int / 100) n`,
  `insert into message_confirmations (item_hash, tx_hash)
   select item_hash, md5('tx ' || (seq / 100)) from messages where seq % 10 <> 0 and seq <= $1`,
  `update messages m set first_confirmed_at = t.datetime, first_confirmed_height = t.height
   from message_confirmations c join chain_txs t on t.hash = c.tx_hash where c.item_hash = m.item_hash and $1 > 0`,
  // The pipeline has nothing to judge again.
  'delete from changed_confirmations where $1 > 0',
]

/** Rows that no milled message makes: credits, permissions, messages that are gone, measurements. */
const furtherRows = [
  `insert into credit_history (credit_ref, credit_index, address, amount, message_timestamp, place, tx_hash, token,
     chain, provider, origin, payment_method)
   select md5('credit ' || n), 0, lower(owner), case when n % 4 = 0 then 5000 else -20 end, created,
     lpad(n::text, 20, '0'), md5('credit tx ' || n), 'ALEPH', 'ETH', case when n % 4 = 0 then 'ALEPH' end,
     case when n % 4 <> 0 then item_hash end, case when n % 4 = 0 then 'token_transfer' else 'credit_expense' end
   from (select *, row_number() over (order by item_hash) as n from vms) v where n <= $1`,
  `insert into credit_lots (address, credit_ref, credit_index, amount_remaining, message_timestamp)
   select address, credit_ref, credit_index, 1000, message_timestamp from credit_history where amount > 0 and $1 > 0`,
  `insert into removed_messages (item_hash, type, chain, sender, item_type, time, reception_time, owner, payment_type,
     size, place, seq, sender_time, removed_at)
   select md5('removed ' || n) || md5('removed ' || n), 'STORE', 'ETH', '0xgone' || n % 50, 'inline', 1600000000 + n,
     now(), '0xgone' || n % 50, 'hold', 1024, '', -n, 0, to_timestamp(1600000000 + n)
   from generate_series(1, $1::int / 20) n`,
  `insert into forgotten_messages (item_hash, type, chain, sender, item_type, time, reception_time, owner, size, place,
     sender_time, forgotten_by, forgotten_at)
   select md5('forgotten ' || n) || md5('forgotten ' || n), 'POST', 'ETH', '0xgone' || n % 50, 'inline',
     1600000000 + n, now(), '0xgone' || n % 50, 1024, '', 0, '{}', 1600000000 + n
   from generate_series(1, $1::int / 20) n`,
  `insert into ccn_metrics (item_hash, node_id, measured_at, base_latency)
   select md5('ccn ' || n), 'node-' || n % 50, extract(epoch from now()) - n * 60, 0.1
   from generate_series(1, $1::int / 10) n`,
  `insert into crn_metrics (item_hash, node_id, measured_at, base_latency)
   select md5('crn ' || n), 'node-' || n % 50, extract(epoch from now()) - n * 60, 0.1
   from generate_series(1, $1::int / 10) n`,
  `insert into reported_balances (address, chain, balance, eth_height, item_hash)
   select address, 'SOL', 10, 1, '' from balances where $1 > 0`,
  `insert into aggregates (owner, key, content, created, last_updated, first_hash, last_revision_hash)
   select address, 'security',
     format('{"authorizations":[{"address":"0xgrantee-%s"}]}', substr(address, 3, 2))::jsonb,
     1600000000, 1600000000, '', '' from balances where $1 > 0`,
]

/**
 * Makes a milled database so many times as large, with rows of every kind that the API reads, and lets the planner know.
 * Copying rows is many times faster than processing messages, but such a database is for reading only.
 */
export async function enlarge(
  pool: pg.Pool,
  times: number,
  onProgress: (done: string) => void = () => {},
): Promise<void> {
  await pool.query('vacuum analyze messages')
  for (const statement of confirmations) await pool.query(statement, [await messageCount(pool)])
  await multiplyRows(pool, times, onProgress)
  for (const statement of furtherRows) await pool.query(statement, [await messageCount(pool)])
  onProgress('rows that are not milled')
  await pool.query('vacuum analyze')
}

async function messageCount(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>('select count(*)::int as count from messages')
  return rows[0]!.count
}

async function multiplyRows(pool: pg.Pool, times: number, onProgress: (done: string) => void): Promise<void> {
  const { rows } = await pool.query<{ span: number; last: string }>(
    `select coalesce(max(time) - min(time), 0) + 1 as span, coalesce(max(seq), 0)::text as last from messages`,
  )
  const { span, last } = rows[0]!
  const client = await pool.connect()
  try {
    await client.query('begin')
    // The triggers of the tables would count and note every copy; what they count is counted below.
    await client.query('set local session_replication_role = replica')
    await client.query("set local maintenance_work_mem = '512MB'")
    const indexes = await dropIndexes(client, Object.keys(changes))
    for (const [table, changed] of Object.entries(changes)) {
      const columns = await columnsOf(client, table)
      const values = columns.map((column) => {
        const change = changed[column]
        return change ? expressions[change](`t.${column}`) : `t.${column}`
      })
      const parameters = [1, times - 1, span, last]
      // Every statement has all parameters, used or not.
      await client.query(
        `insert into ${table} (${columns}) select ${values} from ${table} t, generate_series($1::int, $2::int) as k
         where $3::float8 is not null and $4::bigint is not null`,
        parameters,
      )
      onProgress(table)
    }
    for (const definition of indexes) await client.query(definition)
    onProgress('indexes')
    await client.query('truncate sender_counts, status_counts')
    await client.query(
      'select add_to_sender_counts(array_agg(sender), array_agg(type), 1) from messages group by sender',
    )
    await client.query(
      'insert into status_counts (status, type, total) select status, type, count(*) from messages group by status, type',
    )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

/**
 * An index is built many times faster than it grows by rows in no order.
 *
 * @returns how to make them again
 */
async function dropIndexes(client: pg.PoolClient, tables: string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i where i.indrelid::regclass::text = any($1) and not i.indisunique`,
    [tables],
  )
  for (const { name } of rows) await client.query(`drop index ${name}`)
  return rows.map((row) => row.definition)
}

async function columnsOf(client: pg.PoolClient, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select column_name as name from information_schema.columns
     where table_schema = current_schema() and table_name = $1 and is_identity = 'NO'`,
    [table],
  )
  return rows.map((row) => row.name)
}
