import type pg from 'pg'
import type { CoreEventMap } from '../events.ts'
import type { PlacementEvent } from '../placement/placement-history.ts'

/** Said by API processes: messages came in. The payload is a JSON list of their hashes. */
export const inboxChannel = 'aleph_inbox'
/** Said by the processing node: the state went on. The payload is a {@link StateNotice}. */
export const stateChannel = 'aleph_state'

/** Events of the node that cannot be read from the log of messages. */
type PassedOn = 'rejected' | 'retry' | 'forgotten'

/** `processed` says only that the log of messages went on. */
export type StateNotice = { event: 'processed' } | { event: PassedOn | 'placement'; items: unknown[] }

/** PostgreSQL takes less than 8000 bytes at once. */
const mostBytes = 7_500

/** Says something to all who listen. */
export async function notify(pool: pg.Pool, channel: string, payloads: string[]): Promise<void> {
  if (payloads.length === 0) return
  await pool.query('select pg_notify($1, payload) from unnest($2::text[]) as payload', [channel, payloads])
}

/** What happened, in as many payloads as it takes. Details stay in the database, where they are found by the hash. */
export function stateNotices<Event extends PassedOn>(event: Event, batch: CoreEventMap[Event][0]): string[] {
  return notices(
    event,
    batch.map((item) => ({ ...item, details: undefined })),
  )
}

export function placementNotices(event: PlacementEvent): string[] {
  return notices('placement', [event])
}

function notices(event: string, items: unknown[]): string[] {
  return inParts(items).map((part) => `{"event":"${event}","items":[${part.join(',')}]}`)
}

/** Hashes as lists in JSON. */
export function hashLists(hashes: string[]): string[] {
  return inParts(hashes).map((items) => `[${items.join(',')}]`)
}

export function readStateNotice(payload: string): StateNotice {
  return JSON.parse(payload)
}

/** Items as JSON text, in groups that fit into one payload; what does not fit into any is left out. */
function inParts(items: unknown[]): string[][] {
  const parts: string[][] = []
  let room = 0
  for (const item of items) {
    const text = JSON.stringify(item)
    const size = Buffer.byteLength(text) + 1
    if (size > mostBytes) continue
    if (size > room) {
      parts.push([])
      room = mostBytes
    }
    parts.at(-1)!.push(text)
    room -= size
  }
  return parts
}
