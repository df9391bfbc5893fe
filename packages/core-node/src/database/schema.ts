import type { ColumnType, Generated } from 'kysely'

/** Epoch seconds. */
type Seconds = number

/** Rows of the tables that `migrations/` creates; other folders of the node extend this by declaration merging. */
export interface Database {
  node_info: { key: string; value: string }
  pending_messages: PendingMessagesTable
  messages: MessagesTable
  unannounced_messages: { item_hash: string }
  rejected_messages: RejectedMessagesTable
  forgotten_messages: ForgottenMessagesTable
  /** Of messages, by status and type; kept by triggers. */
  status_counts: { status: string; type: string; total: bigint }
  message_status: { item_hash: string; status: string; reception_time: Date; rank: number }
  posts: PostsTable
  aggregate_elements: {
    item_hash: string
    owner: string
    key: string
    content: Record<string, unknown>
    time: Seconds
  }
  aggregates: AggregatesTable
  files: { hash: string; size: bigint; type: 'file' | 'dir' }
  file_pins: FilePinsTable
  file_tags: { tag: string; owner: string; file_hash: string; last_updated: Seconds; item_hash: string }
  vms: VmsTable
  account_costs: AccountCostsTable
}

interface EnvelopeColumns {
  item_hash: string
  type: string
  chain: string
  sender: string
  signature: string | null
  item_type: string
  item_content: string | null
  time: Seconds
  channel: string | null
  reception_time: Date
}

export interface PendingMessagesTable extends EnvelopeColumns {
  id: Generated<bigint>
  origin: string
  tx_hash: string | null
  fetched: boolean
  next_attempt: Date
  retries: number
  error_code: number | null
  error_details: ColumnType<unknown, string | null, string | null>
  waits_for: string[] | null
}

export interface MessagesTable extends EnvelopeColumns {
  /** Position in this node's log, in processing order. */
  seq: bigint
  status: 'processed' | 'removing'
  /** Fetched content as JSON text; null for inline messages, whose content is `item_content`. */
  content: string | null
  /** Characters of inline content, bytes of fetched content. */
  size: number
  owner: string
  content_type: string | null
  content_ref: string | null
  content_key: string | null
  content_item_hash: string | null
  payment_type: string | null
  tags: string[] | null
}

export interface RejectedMessagesTable {
  item_hash: string
  message: ColumnType<unknown, string, string>
  error_code: number
  details: ColumnType<unknown, string | null, string | null>
  tx_hash: string | null
  reception_time: Date
}

export interface ForgottenMessagesTable extends Omit<EnvelopeColumns, 'item_content'> {
  owner: string
  payment_type: string | null
  size: bigint | null
  forgotten_by: string[]
  forgotten_at: Seconds
}

export interface PostsTable {
  item_hash: string
  owner: string
  type: string
  ref: string | null
  amends: string | null
  channel: string | null
  created: Seconds
  latest_amend: string | null
  last_updated: Seconds
  tags: string[] | null
  /** Of an original: the tags of its newest version. */
  shown_tags: string[] | null
}

export interface AggregatesTable {
  owner: string
  key: string
  content: Record<string, unknown>
  created: Seconds
  last_updated: Seconds
  first_hash: string
  last_revision_hash: string
}

export interface FilePinsTable {
  id: Generated<bigint>
  file_hash: string
  type: 'message' | 'content' | 'tx' | 'grace_period'
  owner: string | null
  item_hash: string | null
  ref: string | null
  tag: string | null
  created: Seconds
  delete_by: Date | null
}

export interface VmsTable {
  item_hash: string
  owner: string
  type: 'program' | 'instance' | 'v-program'
  persistent: boolean
  allow_amend: boolean
  payment_type: string
  replaces: string | null
  created: Seconds
  content: unknown
}

export interface AccountCostsTable {
  owner: string
  item_hash: string
  type: string
  name: string
  ref: string | null
  payment_type: string
  /** Decimal text, ALEPH. */
  cost_hold: string
  /** Decimal text, ALEPH per second. */
  cost_stream: string
  /** Decimal text, credits per second. */
  cost_credit: string
}
