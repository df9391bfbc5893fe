import { join } from 'node:path'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { CoreNodeConfig } from './config.ts'
import type { CoreNodeContext } from './context.ts'
import { createKysely } from './database/pool.ts'
import { CoreEvents } from './events.ts'
import { createVerifier } from './identity/create-verifier.ts'
import { Inbox } from './inbox/inbox.ts'
import { CoreMetrics } from './metrics.ts'
import { loadOperatorKey } from './operator-key.ts'
import { registeredRequests } from './registered-request.ts'
import { addStageMetrics } from './stage-metrics.ts'
import { FileStore } from './storage/file-store.ts'
import { version } from './version.ts'

/** What every process of a node works with, whatever its role. */
export async function createContext(
  config: CoreNodeConfig,
  logger: Logger,
  pool: pg.Pool,
): Promise<CoreNodeContext> {
  const events = new CoreEvents()
  const fileStore = await FileStore.create(join(config.dataDir, 'files'), {
    isShared: config.databaseUrl !== undefined,
  })
  const verifier = createVerifier({ config, pool, logger })
  const inbox = new Inbox({
    pool,
    events,
    fileStore,
    verifier,
    pendingLimit: config.limits.pendingMessages,
    futureSeconds: config.profile.limits.futureSeconds,
  })
  const operatorKey = await loadOperatorKey(config.privateKeyFile)
  const metrics = new CoreMetrics({ version, events, pendingCount: () => inbox.pendingCount })
  addStageMetrics(metrics.registry, pool)
  const registered = registeredRequests({ allowPrivate: config.allowPrivateNodes ?? false })
  return {
    config,
    profile: config.profile,
    db: createKysely(pool),
    pool,
    logger,
    events,
    fileStore,
    inbox,
    verifier,
    metrics,
    operatorKey,
    askRegistered: registered.ask,
    openRegistered: registered.open,
  }
}
