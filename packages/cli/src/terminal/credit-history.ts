import type { CreditHistoryEntry } from '@aleph-ts/sdk'
import { printable, shownTime } from './printable.ts'
import { table } from './table.ts'

/** Credits given and spent, a line each, as `aleph credits` and `aleph payment` show them. */
export function creditHistoryTable(entries: CreditHistoryEntry[]): string {
  const rows = entries.map((entry) => [
    shownTime(entry.message_timestamp),
    String(entry.amount),
    printable(entry.payment_method ?? ''),
    printable(entry.origin ?? entry.tx_hash ?? ''),
  ])
  return table(['time', 'credits', 'how', 'for'], rows)
}
