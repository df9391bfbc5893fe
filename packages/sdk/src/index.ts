export type { Account } from './account/account.ts'
export { AvalancheAccount, type AvalancheAccountOptions } from './account/avalanche-account.ts'
export { CosmosAccount, type CosmosAccountOptions } from './account/cosmos-account.ts'
export {
  EthereumAccount,
  type EthereumAccountOptions,
  type EthereumProvider,
} from './account/ethereum-account.ts'
export type { GeneratedAccount } from './account/key-account.ts'
export { NeoAccount } from './account/neo-account.ts'
export { Nuls2Account, NulsAccount } from './account/nuls-account.ts'
export { readEthereumKey, readMnemonic, readSolanaKey } from './account/private-key.ts'
export { SolanaAccount } from './account/solana-account.ts'
export { SubstrateAccount, type SubstrateAccountOptions } from './account/substrate-account.ts'
export { TezosAccount, type TezosAccountOptions } from './account/tezos-account.ts'
export { getAggregate, getAggregates } from './aggregate/get-aggregate.ts'
export { AlephClient, type PublishOptions } from './client/aleph-client.ts'
export { type ClientContext, type ClientOptions, createClientContext } from './client/client-context.ts'
export {
  ComputeNodeClient,
  type CreateBackupOptions,
  type Execution,
  type Executions,
  type GetLogsOptions,
  type InstanceBackup,
  type MachineOperation,
  type OperateOptions,
  type RestoreSource,
  type SystemUsage,
  type VmLogLine,
} from './compute/compute-node-client.ts'
export {
  type MigratedInstance,
  type MigrateInstanceParams,
  type MigrationStep,
  migrateInstance,
} from './compute/migrate-instance.ts'
export { type OperatorHeaders, OperatorSession } from './compute/operator-session.ts'
export type { StreamLogsOptions, VmLogFrame } from './compute/stream-logs.ts'
export { type CreditHistoryEntry, listCreditHistory } from './credits/list-credit-history.ts'
export { buildCreditTransfer, type CreditGift } from './credits/send-credits.ts'
export { createDidResolver, resolveDid } from './did/resolve-did.ts'
export { AlephApiError, AlephError, type AlephErrorCode, MessageRejectedError } from './errors.ts'
export { downloadFile } from './file/download-file.ts'
export { findFile, type StoredFile } from './file/find-file.ts'
export { type FileSource, hashBlob } from './file/hash-file.ts'
export { type UploadedFile, type UploadFileParams, uploadFile } from './file/upload-file.ts'
export { type UploadedFolder, type UploadFolderParams, uploadFolder } from './file/upload-folder.ts'
export { createTransport, type Transport, type TransportOptions } from './http/transport.ts'
export { type AggregateFields, buildAggregate } from './message/build-aggregate.ts'
export { buildForget, type ForgetFields } from './message/build-forget.ts'
export { buildInstance, type InstanceFields } from './message/build-instance.ts'
export { type BuiltMessage, buildMessage, type MessageOptions } from './message/build-message.ts'
export { buildAmend, buildPost, type PostFields } from './message/build-post.ts'
export { buildProgram, type ProgramFields } from './message/build-program.ts'
export { buildStore, type StoreFields } from './message/build-store.ts'
export { getMessage, type MessageLookup } from './message/get-message.ts'
export { getMessageStatus } from './message/get-message-status.ts'
export {
  type ListMessagesOptions,
  listMessages,
  type MessageFilter,
  type MessagePage,
} from './message/list-messages.ts'
export type { NetworkMessage } from './message/message-shape.ts'
export { paymentOf } from './message/payment.ts'
export { type SendOptions, type SentMessage, sendMessage } from './message/send-message.ts'
export { type SignedMessage, signMessage } from './message/sign-message.ts'
export { type WaitOptions, waitForMessage } from './message/wait-for-message.ts'
export { type WatchOptions, watchMessages } from './message/watch-messages.ts'
export { getNodeVersion } from './network/get-node-version.ts'
export { amountOfNumber, formatAmount, parseAmount } from './payment/decimal-amount.ts'
export { type Balance, getBalance } from './payment/get-balance.ts'
export { estimatePrice, getPrice, type Price } from './payment/get-price.ts'
export { listCosts, type ResourceCost } from './payment/list-costs.ts'
export { type CallProgramOptions, callProgram, programUrl } from './program/call-program.ts'
export {
  type DeployedProgram,
  type DeployProgramParams,
  type DeployStep,
  deployProgram,
} from './program/deploy-program.ts'
export { explainPlacement, type PlacementExplanation } from './program/explain-placement.ts'
export { type Allocation, getAllocation, waitForAllocation } from './program/get-allocation.ts'
export { buildNodeOperation, type NodeDetails, type NodeOperation } from './registry/build-node-operation.ts'
export { checkNodeOperation, type OperationCheck } from './registry/check-node-operation.ts'
export { explainScore, type ScoreExplanation } from './registry/explain-score.ts'
export { type IgnoredOperation, listIgnoredOperations } from './registry/list-ignored-operations.ts'
export { listNodes, type NodeFilter, type NodeList } from './registry/list-nodes.ts'
export {
  type DayRewards,
  explainRewards,
  getRewards,
  type RewardExplanation,
  type RewardShare,
} from './rewards/get-rewards.ts'
