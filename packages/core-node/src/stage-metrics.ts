import type pg from 'pg'
import { Gauge, type Registry } from 'prom-client'

interface StageGauge {
  name: string
  help: string
  labelNames: string[]
  /** Rows of the labels and `value`. */
  sql: string
}

const gauges: StageGauge[] = [
  {
    name: 'pyaleph_status_sync_pending_txs_total',
    help: 'Transactions of contracts whose messages are not taken in yet',
    labelNames: [],
    sql: `select count(distinct tx_hash)::int as value from contract_events
          where not settled and problem_code is distinct from 'bad_batch'`,
  },
  {
    name: 'aleph_core_inbox_waiting',
    help: 'Messages on their way, by what they wait for: contents or files, their turn, or another attempt',
    labelNames: ['stage'],
    sql: `select s.stage, count(p.id)::int as value from unnest(array['fetch', 'process', 'retry']) as s(stage)
          left join pending_messages p on s.stage = case
            when p.retries > 0 and p.next_attempt > now() then 'retry' when p.fetched then 'process' else 'fetch' end
          group by s.stage`,
  },
  {
    name: 'aleph_core_chain_block',
    help: 'Last block that a reader of a chain has taken in',
    labelNames: ['chain', 'stream'],
    sql: 'select chain, stream, block_number::float8 as value from chain_cursors',
  },
  {
    name: 'aleph_core_chain_read_age_seconds',
    help: 'Time since a reader of a chain last moved on',
    labelNames: ['chain', 'stream'],
    sql: `select chain, stream, extract(epoch from now() - updated_at)::float8 as value from chain_cursors`,
  },
  {
    name: 'aleph_core_contract_events_waiting',
    help: 'Events of contracts whose messages are not taken in yet, by whether their batch is unreadable',
    labelNames: ['quarantined'],
    sql: `select q.quarantined::text, count(e.chain)::int as value from unnest(array[true, false]) as q(quarantined)
          left join contract_events e on not e.settled and q.quarantined = (e.problem_code is not distinct from 'bad_batch')
          group by q.quarantined`,
  },
  {
    name: 'aleph_core_packed_batches',
    help: 'Batches this node packed, by how far they are',
    labelNames: ['state'],
    sql: `select s.state, count(b.file_hash)::int as value from unnest(array['packed', 'sent', 'done']) as s(state)
          left join packed_batches b on s.state = case
            when b.done then 'done' when b.tx_hash is null then 'packed' else 'sent' end
          group by s.state`,
  },
  {
    name: 'aleph_core_unannounced_messages',
    help: 'Messages of the API that gossip has not spread, or not noted as spread, yet',
    labelNames: [],
    sql: 'select count(*)::int as value from unannounced_messages',
  },
]

/** Whoever asks more often is told the same again, ms. */
const freshMs = 5_000

/** How much is at each stage of the road, read from the database when somebody asks. */
export function addStageMetrics(registry: Registry, pool: Pick<pg.Pool, 'query'>): void {
  for (const { name, help, labelNames, sql } of gauges) {
    let readAtMs = Number.NEGATIVE_INFINITY
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        if (performance.now() - readAtMs < freshMs) return
        readAtMs = performance.now()
        const { rows } = await pool.query<Record<string, string> & { value: number }>(sql)
        this.reset()
        for (const { value, ...labels } of rows) this.set(labels, value)
      },
    })
  }
}
