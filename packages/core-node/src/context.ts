import type { ClaimedSize, NetworkProfile } from '@aleph-ts/protocol'
import type { Kysely } from 'kysely'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { CoreNodeConfig } from './config.ts'
import type { Database } from './database/schema.ts'
import type { CoreEvents } from './events.ts'
import type { SignatureVerifier } from './identity/signature-verifier.ts'
import type { Inbox } from './inbox/inbox.ts'
import type { CoreMetrics } from './metrics.ts'
import type { OperatorKey } from './operator-key.ts'
import type { AskRegistered, OpenRegistered } from './registered-request.ts'
import type { FileStore } from './storage/file-store.ts'

/** Finds a file that this node lacks and streams it into the file store. */
export interface ContentFetcher {
  /**
   * `stored`: the bytes are in the file store and their hash was verified.
   * `unavailable`: nobody we asked has it now (ask again later).
   *
   * @param options `maxBytes`: of the file, or of the archive of blocks that a CID's DAG comes in
   */
  fetch(
    hash: string,
    itemType: 'storage' | 'ipfs',
    options: { maxBytes: number; signal?: AbortSignal },
  ): Promise<'stored' | 'unavailable'>

  /**
   * What the root of a CID's DAG says of its size, without fetching the DAG; undefined when nobody we asked has the
   * root now.
   */
  claimedSize?(cid: string, options?: { signal?: AbortSignal }): Promise<ClaimedSize | undefined>
}

/** Everything a service of the node may use, built once by `CoreNode.create`. */
export interface CoreNodeContext {
  config: CoreNodeConfig
  profile: NetworkProfile
  /** Typed queries. */
  db: Kysely<Database>
  /** The same connections, for statements where building SQL would cost. */
  pool: pg.Pool
  logger: Logger
  events: CoreEvents
  fileStore: FileStore
  inbox: Inbox
  verifier: SignatureVerifier
  metrics: CoreMetrics
  operatorKey: OperatorKey
  /** For every request to an address that somebody registered. */
  askRegistered: AskRegistered
  /** The same for long answers. */
  openRegistered: OpenRegistered
}
