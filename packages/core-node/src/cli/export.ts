import { createWriteStream } from 'node:fs'
import { finished, pipeline } from 'node:stream/promises'
import type { Envelope } from '@aleph-ts/protocol'
import type pg from 'pg'
import type { CoreNodeConfig } from '../config.ts'
import { withDatabase } from './node-database.ts'

const rowsPerRead = 1000

/** A line of an export: a message as it was signed, with its content where that is not inline. */
export interface ExportedMessage {
  message: Envelope
  content?: string
}

/** Writes every message this node can give to others, in the order in which it processed them, as lines of JSON. */
export async function exportMessages(config: CoreNodeConfig, path?: string): Promise<void> {
  const output = path ? createWriteStream(path, { mode: 0o600 }) : process.stdout
  let count = 0
  await withDatabase(config, async (pool) => {
    await pipeline(
      async function* () {
        for await (const exported of exportedMessages(pool)) {
          count += 1
          yield `${JSON.stringify(exported)}\n`
        }
      },
      output,
      { end: path !== undefined },
    )
  })
  if (path) await finished(output).catch(() => {})
  process.stderr.write(`${count} messages\n`)
}

/** All of it in one snapshot. Forgotten messages are among them as long as their content is kept. */
async function* exportedMessages(pool: pg.Pool): AsyncGenerator<ExportedMessage> {
  const client = await pool.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    const columns = 'sender, chain, signature, type, item_type, item_hash, item_content, time, channel'
    await client.query(
      `declare exported no scroll cursor for
       select ${columns}, content, seq from messages
       union all
       select ${columns}, content, seq from forgotten_messages where item_content is not null or content is not null
       order by seq`,
    )
    for (;;) {
      const { rows } = await client.query<Envelope & { content: string | null; seq: bigint }>(
        `fetch ${rowsPerRead} from exported`,
      )
      for (const { content, seq: _, ...message } of rows) {
        yield content === null ? { message } : { message, content }
      }
      if (rows.length < rowsPerRead) break
    }
    await client.query('commit')
  } finally {
    client.release(true)
  }
}
