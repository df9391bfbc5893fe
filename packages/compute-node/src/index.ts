export { ComputeNode, type ComputeNodeParts, type ComputeNodeStatus } from './compute-node.ts'
export { type ComputeNodeConfig, ConfigError, configFromEnvironment } from './config.ts'
export { environmentTable } from './environment.ts'
