export { ComputeNode, type ComputeNodeParts, type ComputeNodeStatus } from './compute-node.ts'
export { type ComputeNodeConfig, ConfigError, configFromEnvironment, environmentTable } from './config.ts'
