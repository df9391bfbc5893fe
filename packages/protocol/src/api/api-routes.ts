import { accountApiRoutes } from './account-routes.ts'
import { aggregateApiRoutes } from './aggregate-routes.ts'
import { computeListApiRoutes } from './compute-list-route.ts'
import { fileApiRoutes } from './file-routes.ts'
import { messageApiRoutes } from './message-routes.ts'
import { nodeApiRoutes } from './node-routes.ts'
import { postApiRoutes } from './post-routes.ts'
import { priceApiRoutes } from './price-routes.ts'
import { registryApiRoutes } from './registry-routes.ts'
import { rewardApiRoutes } from './reward-routes.ts'
import { schedulerApiRoutes } from './scheduler-routes.ts'
import { uploadApiRoutes } from './upload-routes.ts'

/** Every documented route of a core node, by name (protocol 03 §2). */
export const apiRoutes = {
  ...messageApiRoutes,
  ...postApiRoutes,
  ...aggregateApiRoutes,
  ...fileApiRoutes,
  ...uploadApiRoutes,
  ...accountApiRoutes,
  ...priceApiRoutes,
  ...nodeApiRoutes,
  ...registryApiRoutes,
  ...schedulerApiRoutes,
  ...computeListApiRoutes,
  ...rewardApiRoutes,
}
