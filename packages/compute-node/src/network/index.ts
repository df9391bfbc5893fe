export { NetworkError } from './network-error.ts'
export {
  isPrefix,
  type NetworkSettings,
  networkEnvironmentTable,
  networkSettings,
} from './network-settings.ts'
export { type NetworkMode, openNetwork } from './open-network.ts'
export { missingForTaps } from './requirements.ts'
export type { LinkRules } from './ruleset.ts'
export { createTap, removeTap } from './tap-device.ts'
export type { LinkPools, TapLink } from './tap-link.ts'
export { TapLinks } from './tap-links.ts'
export { TapNetwork, type TapNetworkOptions } from './tap-network.ts'
