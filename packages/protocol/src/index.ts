export {
  type Allocation,
  type AllocationsAggregate,
  allocationSchema,
  allocationsKey,
  allocationsSchema,
} from './aggregates/allocations.ts'
export {
  type ComputeNode,
  type CorechannelAggregate,
  type CoreNode,
  computeNodeSchema,
  corechannelSchema,
  coreNodeSchema,
} from './aggregates/corechannel.ts'
export { instanceMovesKey, wantedComputeNodes } from './aggregates/instance-moves.ts'
export { drainingNodes, nodeDrainsKey, nodeDrainsSchema } from './aggregates/node-drains.ts'
export {
  type PricingAggregate,
  type Product,
  type ProductPricing,
  pricingSchema,
  products,
} from './aggregates/pricing.ts'
export { type SettingsAggregate, settingsSchema } from './aggregates/settings.ts'
export {
  type Authorization,
  type DomainsAggregate,
  domainsSchema,
  type PortForwardingAggregate,
  portForwardingSchema,
  type SecurityAggregate,
  securitySchema,
  type VmImagesAggregate,
  vmImagesSchema,
} from './aggregates/user-aggregates.ts'
export {
  type AllocationAuthCode,
  AllocationAuthError,
  type AllocationClaim,
  type AllocationHead,
  type AllocationRequest,
  type AllocationVerification,
  allocationAuthLimits,
  allocationPayload,
  assertSignedBody,
  signAllocationRequest,
  verifyAllocationHead,
  verifyAllocationRequest,
} from './allocation/allocation-auth.ts'
export { parseVmHostLabel, vmHostLabel } from './allocation/vm-host-label.ts'
export { type VmIpv6, type VmKind, vmIpv6 } from './allocation/vm-ipv6.ts'
export { type ApiFailure, apiFailureSchema } from './api/api-failure.ts'
export { apiRoutes } from './api/api-routes.ts'
export type { ListedComputeNode } from './api/compute-list-route.ts'
export { apiMessageSchema, messageFilterFields, messageFilterSchema } from './api/message-routes.ts'
export { eventTopics } from './api/node-routes.ts'
export { type OpenApiDocument, type OpenApiOperation, openApiDocument } from './api/openapi-document.ts'
export { postFilterSchema } from './api/post-routes.ts'
export {
  type AnswerOf,
  type ApiRoute,
  type BodyOf,
  type PathParameters,
  type QueryOf,
  snakeCase,
} from './api/route.ts'
export type { PlacementHistoryEntry, SchedulerNode, SchedulerVm } from './api/scheduler-routes.ts'
export {
  BatchArchiveError,
  batchArchive,
  batchMessages,
  mostBatchMessages,
  readBatchArchive,
} from './chain-bridge/batch-archive.ts'
export { type ContractMessage, contractEnvelope } from './chain-bridge/contract-message.ts'
export {
  type CommittedMessage,
  messageLeaf,
  messageProof,
  messageTree,
  type TreeNode,
  verifyMessageProof,
} from './chain-bridge/message-tree.ts'
export { mayPack } from './chain-bridge/packing-turn.ts'
export { offChainPayload, parseSyncPayload, type SyncPayload } from './chain-bridge/sync-payload.ts'
export type { AggregateContent } from './content/aggregate.ts'
export { type ContentOf, contentSchemas } from './content/content-of.ts'
export { parseContentText } from './content/content-text.ts'
export type { Environment } from './content/environment.ts'
export type { ForgetContent } from './content/forget.ts'
export type { InstanceContent } from './content/instance.ts'
export {
  type ParsedContent,
  parseContent,
  parseFetchedContent,
  parseInlineContent,
} from './content/parse-content.ts'
export type { Payment } from './content/payment.ts'
export type { PostContent } from './content/post.ts'
export { type Encoding, encodings, type ProgramContent } from './content/program.ts'
export type { Requirements } from './content/requirements.ts'
export type { Resources } from './content/resources.ts'
export type { StoreContent } from './content/store.ts'
export { extractTags } from './content/tags.ts'
export type { TrustedExecution } from './content/trusted-execution.ts'
export type { VProgramContent } from './content/v-program.ts'
export type { Volume } from './content/volumes.ts'
export {
  type CarBlock,
  CarReader,
  type CarReaderOptions,
  maxBlockBytes,
} from './content-addressing/car-reader.ts'
export { carFramePrefix, carHeader, walkDag, writeCar } from './content-addressing/car-writer.ts'
export {
  type Cid,
  type CidVersion,
  decodeCid,
  inlineBlock,
  parseCid,
  verifyBlock,
} from './content-addressing/cid.ts'
export {
  ContentAddressError,
  type ContentAddressErrorCode,
} from './content-addressing/content-address-error.ts'
export { type ClaimedSize, claimedSize, mostBlockBytes } from './content-addressing/dag-size.ts'
export {
  type DirectoryDagOptions,
  type DirectoryEntry,
  directoryDag,
} from './content-addressing/directory-dag.ts'
export {
  type Block,
  type BuiltNode,
  FileDag,
  type FileDagOptions,
  type FileLeaf,
  fileLeaf,
  leafBytes,
} from './content-addressing/file-dag.ts'
export { chunkBytes, type FileLayout, otherLayouts, usualLayout } from './content-addressing/file-layout.ts'
export type { GetBlock } from './content-addressing/get-block.ts'
export {
  listDirectory,
  resolvePath,
  type TreeEntry,
  walkTree,
} from './content-addressing/read-directory.ts'
export { type ByteRange, readUnixFsFile } from './content-addressing/read-file.ts'
export { TreeDag } from './content-addressing/tree-dag.ts'
export {
  decodeUnixFsNode,
  linksOf,
  type UnixFsLink,
  type UnixFsNode,
} from './content-addressing/unixfs-node.ts'
export { type DagSummary, type VerifyDagOptions, verifyDag } from './content-addressing/verify-dag.ts'
export { applyCreditPost, type CreditPost } from './credits/apply-credit-post.ts'
export { type AllocationChange, type AssignmentLease, assignmentLeases } from './credits/assignment-lease.ts'
export {
  type CreditEntry,
  type CreditFacts,
  type CreditLot,
  compareLots,
  isSpendable,
} from './credits/credit-entry.ts'
export {
  type BillingWindow,
  type CreditCharge,
  type ExpenseEntry,
  type ExpenseKind,
  executionExpenses,
  expensePost,
  storageExpenses,
} from './credits/credit-expense.ts'
export { CreditLedger, type CreditPart, creditBalance, creditParts } from './credits/credit-ledger.ts'
export {
  type CreditOperation,
  type CreditPostFields,
  creditPostTypes,
  readCreditPost,
} from './credits/credit-post.ts'
export {
  type CreditPurchase,
  type CreditSale,
  creditPriceAleph,
  creditsBought,
  distributionPost,
} from './credits/credit-sale.ts'
export { leaseRef, leaseWindow } from './credits/lease-ref.ts'
export { accountsOf, type CreditReplay, compareCreditPosts, replayCredits } from './credits/replay-credits.ts'
export { accountId, parseAccountId } from './did/account-id.ts'
export type { Delegate, DelegateLimits } from './did/delegates.ts'
export { type DidDocument, type DidVerificationMethod, didDocument } from './did/did-document.ts'
export { DidError, type DidErrorCode } from './did/did-error.ts'
export { formatDid, parseDid } from './did/did-pkh.ts'
export {
  type DidResolution,
  didContentType,
  didResolution,
  failedDidResolution,
} from './did/did-resolution.ts'
export {
  type ErrorName,
  errorCodes,
  errorDescriptions,
  errorName,
  isRetryable,
} from './errors/error-codes.ts'
export {
  type ErrorDetails,
  formatError,
  ProtocolError,
  type ProtocolErrorOptions,
} from './errors/protocol-error.ts'
export { gossipMessageId } from './gossip/message-id.ts'
export { classifyHash, type HashKind, isItemHash, itemHash } from './hash/item-hash.ts'
export { createSha256, type Sha256, sha256Bytes, sha256Hex } from './hash/sha256.ts'
export { addressOfPrivateKey, generatePrivateKey, isAddress, isPrivateKey } from './identity/account-keys.ts'
export { addressKey } from './identity/address-key.ts'
export { type AvalancheChain, avalancheAddress, signAvalanche } from './identity/avalanche.ts'
export { cosmosAddress, signCosmos } from './identity/cosmos.ts'
export {
  canonicalEvmSignature,
  evmAddress,
  isEvmAddress,
  personalSign,
  recoverPersonalSign,
  toChecksumAddress,
} from './identity/evm.ts'
export { neoAddress, signNeo } from './identity/neo.ts'
export { nulsAddress, signNuls } from './identity/nuls.ts'
export { type Nuls2Network, nuls2Address, signNuls2 } from './identity/nuls2.ts'
export { signEnvelope } from './identity/sign-envelope.ts'
export {
  isCounterfactualSignature,
  isSmartWalletApproval,
  type SmartWalletCall,
  type SmartWalletStandard,
  smartWalletCall,
} from './identity/smart-wallet.ts'
export { signSolana, solanaAddress } from './identity/solana.ts'
export { decodeSs58, encodeSs58 } from './identity/ss58.ts'
export { signSubstrate, substrateAddress } from './identity/substrate.ts'
export { isTezosPrivateKey, signTezos, type TezosSigning, tezosAddress } from './identity/tezos.ts'
export {
  decodeTezosPrivateKey,
  encodeTezosPrivateKey,
  type TezosCurve,
} from './identity/tezos-encoding.ts'
export { type SignedFields, verificationBuffer } from './identity/verification-buffer.ts'
export {
  canonicalSignature,
  isChainVerifiable,
  type SignedMessage,
  verifySignature,
} from './identity/verify-signature.ts'
export {
  closedIpv4Ranges,
  closedIpv6Ranges,
  type IpRange,
  isPublicIp,
  openIpv6Ranges,
  parseIp,
} from './internet/public-ip.ts'
export { type Clocks, effectiveTime } from './judgement/effective-time.ts'
export { endOfOrder, liftedPlace, ownPlace, type Place, placeAt, timeOfPlace } from './judgement/place.ts'
export { canonicalForm } from './message/canonical-form.ts'
export {
  type Chain,
  chainCodes,
  chains,
  isChain,
  type SignatureScheme,
  signatureScheme,
} from './message/chains.ts'
export {
  type Envelope,
  type ItemType,
  itemTypes,
  type MessageStatus,
  type MessageType,
  messageStatuses,
  messageTypes,
} from './message/envelope.ts'
export type { FormatIssue } from './message/format-issues.ts'
export { judgeMessage, type MessageFault, type MessageJudgement } from './message/judge-message.ts'
export { messageLimits } from './message/limits.ts'
export { matchesSubscription } from './message/matches-subscription.ts'
export { parseEnvelope } from './message/parse-envelope.ts'
export { type CommunityShare, communityShare } from './payment-stream/community-share.ts'
export { coveredMachines } from './payment-stream/covered-machines.ts'
export { parseStreamRate, setStreamRateCall, streamRateCall } from './payment-stream/stream-calls.ts'
export {
  requiredStreams,
  type StreamedMachine,
  type StreamRates,
  streamsSuffice,
} from './payment-stream/stream-rates.ts'
export {
  type AuthorisationPolicy,
  type AuthorisationSubject,
  isAuthorised,
  securityKey,
} from './permissions/is-authorised.ts'
export { type CapabilityReason, capabilityReason, hasPublicPool } from './placement/capability-reason.ts'
export { CapacityLedger, type CapacityReason } from './placement/capacity-ledger.ts'
export {
  type CapacityReport,
  capacityReportPostType,
  capacityReportSchema,
  schedulerChannel,
} from './placement/capacity-report.ts'
export { maxWeight, minimumScore, nodeWeight, scoreMultiplier, scoreShare } from './placement/node-weight.ts'
export {
  explainPlacement,
  type NodeVerdict,
  type Placed,
  type PlacementCandidate,
  type PlacementOptions,
  type PlacementReason,
  placeVm,
  type Unschedulable,
} from './placement/place-vm.ts'
export { type PlacementPolicy, placementPolicy } from './placement/placement-policy.ts'
export {
  type NetworkPlan,
  type NetworkPlanInputs,
  type PlannedVm,
  planNetwork,
} from './placement/plan-network.ts'
export { type PlacementLevel, rankNodes, rendezvousRank, type WeightedNode } from './placement/rendezvous.ts'
export {
  type PlannedClaim,
  planInputRoots,
  planRoot,
  type SchedulerPlan,
  type SchedulerPlanInputs,
  schedulerPlanPostType,
  schedulerPlanSchema,
} from './placement/scheduler-plan.ts'
export {
  noRequirements,
  type VmRequirements,
  type VmResources,
  vmRequirements,
} from './placement/vm-requirements.ts'
export { type BalancesUpdate, balancesPostType, readBalancesUpdate } from './posts/balances-update.ts'
export {
  type ComputeNodeMetrics,
  type CoreNodeMetrics,
  metricsPostTypes,
  readNetworkMetrics,
} from './posts/network-metrics.ts'
export {
  type AccountPlan,
  accountPlan,
  affordable,
  creditsOfADay,
  type PaidResource,
} from './pricing/account-plan.ts'
export { type BalanceQuestion, balanceShortfall } from './pricing/balance-check.ts'
export {
  type CostContext,
  type CostInput,
  computeCost,
  type FileRef,
  paymentTypeOf,
  productOf,
} from './pricing/compute-cost.ts'
export { type CostRow, type CostType, totalCost } from './pricing/cost-row.ts'
export type { CostableMessage } from './pricing/costable.ts'
export { defaultPricing } from './pricing/default-pricing.ts'
export { defaultSettings } from './pricing/default-settings.ts'
export { type Estimate, parseEstimate } from './pricing/parse-estimate.ts'
export { type ObservedTime, type PaymentVerdict, paymentVerdict } from './pricing/payment-verdict.ts'
export { devnetProfile } from './profile/devnet.ts'
export { mainnetProfile } from './profile/mainnet.ts'
export {
  type MessageContract,
  type NetworkProfile,
  type PaymentType,
  paymentTypes,
  type StreamNetwork,
} from './profile/network-profile.ts'
export { InvalidProfileError, parseNetworkProfile } from './profile/parse-network-profile.ts'
export { answerReconciliation } from './reconciliation/answer-request.ts'
export { maxReconciliationFrameBytes } from './reconciliation/frames.ts'
export { MessageSet } from './reconciliation/message-set.ts'
export { type Differences, Reconciler } from './reconciliation/reconciler.ts'
export { ReconciliationError } from './reconciliation/reconciliation-error.ts'
export { cloneRegistry } from './registry/clone-registry.ts'
export type { Ignored, IgnoredReason } from './registry/operations/operation.ts'
export { publishedRegistry } from './registry/published-registry.ts'
export {
  type RegistryPost,
  readOperation,
  readRegistryPost,
  readScores,
  registryPostType,
  scorePostType,
} from './registry/read-registry-posts.ts'
export { applyRegistryEvent, type IgnoredOperation, reduceRegistry } from './registry/reduce-registry.ts'
export { type RegistryDifference, registryDifferences } from './registry/registry-differences.ts'
export {
  type BalanceEvent,
  compareRegistryEvents,
  type NodeScore,
  type OperationEvent,
  type RegistryAction,
  type RegistryEvent,
  type ScoreEvent,
} from './registry/registry-event.ts'
export type { RegistryPolicy } from './registry/registry-policy.ts'
export {
  createRegistryState,
  type RegisteredComputeNode,
  type RegisteredCoreNode,
  type RegistryState,
} from './registry/registry-state.ts'
export { type CreditRevenue, creditRevenueShares, missingNode } from './rewards/credit-revenue.ts'
export { distributionContent, distributionPostType, type RewardTarget } from './rewards/distribution-post.ts'
export { type ExpenseRevenue, readExpenseRevenue } from './rewards/expense-revenue.ts'
export {
  type PeriodRewards,
  periodRewards,
  type RewardDetails,
  type RewardMoment,
  type RewardPeriod,
  rewardMoments,
} from './rewards/period-rewards.ts'
export type { RewardPolicy } from './rewards/reward-policy.ts'
export {
  type RewardRole,
  type RewardShare,
  type RewardShares,
  type RewardStream,
  rewardAddress,
  type UnallocatedShare,
} from './rewards/reward-share.ts'
export { type RewardStatement, rewardStatement, type SlashedShare } from './rewards/reward-statement.ts'
export { type StakingInterval, stakersPool, stakingShares } from './rewards/staking-rewards.ts'
export { utcDays, wageBetween, wageShares } from './rewards/wage-subsidy.ts'
export type {
  ComputeNodeMeasurement,
  CoreNodeMeasurement,
  VersionAge,
} from './scoring/measurements.ts'
export { type NetworkScore, networkScores, type Observations } from './scoring/network-scores.ts'
export {
  type NodeRating,
  rateComputeNode,
  rateCoreNode,
  type ScoreFactor,
  type ScoreProbes,
} from './scoring/node-score.ts'
export {
  type MetricsPost,
  readObservations,
  type ScoringPeriod,
  scoringPeriodAt,
} from './scoring/read-observations.ts'
export { readScoresPeriod, scoresContent, unexplainedScores } from './scoring/scores-post.ts'
export type { ScoringPolicy } from './scoring/scoring-policy.ts'
export { versionAge } from './scoring/version-age.ts'
