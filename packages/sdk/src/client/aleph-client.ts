import { type MessageStatus, type MessageType, mainnetProfile, type PaymentType } from '@aleph-ts/protocol'
import { getAggregate, getAggregates } from '../aggregate/get-aggregate.ts'
import {
  type MigratedInstance,
  type MigrateInstanceParams,
  migrateInstance,
} from '../compute/migrate-instance.ts'
import { type CreditHistoryEntry, listCreditHistory } from '../credits/list-credit-history.ts'
import { buildCreditTransfer, type CreditGift } from '../credits/send-credits.ts'
import { downloadFile } from '../file/download-file.ts'
import { findFile, type StoredFile } from '../file/find-file.ts'
import { type UploadedFile, type UploadFileParams, uploadFile } from '../file/upload-file.ts'
import { type UploadedFolder, type UploadFolderParams, uploadFolder } from '../file/upload-folder.ts'
import { type AggregateFields, buildAggregate } from '../message/build-aggregate.ts'
import { buildForget, type ForgetFields } from '../message/build-forget.ts'
import type { BuiltMessage, MessageOptions } from '../message/build-message.ts'
import { buildPost, type PostFields } from '../message/build-post.ts'
import { getMessage, type MessageLookup } from '../message/get-message.ts'
import { getMessageStatus } from '../message/get-message-status.ts'
import { type ListMessagesOptions, listMessages, type MessagePage } from '../message/list-messages.ts'
import type { NetworkMessage } from '../message/message-shape.ts'
import { type SendOptions, type SentMessage, sendMessage } from '../message/send-message.ts'
import type { SignedMessage } from '../message/sign-message.ts'
import { type WaitOptions, waitForMessage } from '../message/wait-for-message.ts'
import { type WatchOptions, watchMessages } from '../message/watch-messages.ts'
import { getNodeVersion } from '../network/get-node-version.ts'
import { type Balance, getBalance } from '../payment/get-balance.ts'
import { estimatePrice, getPrice, type Price } from '../payment/get-price.ts'
import { listCosts, type ResourceCost } from '../payment/list-costs.ts'
import { type CallProgramOptions, callProgram } from '../program/call-program.ts'
import { type DeployedProgram, type DeployProgramParams, deployProgram } from '../program/deploy-program.ts'
import { type Allocation, getAllocation, waitForAllocation } from '../program/get-allocation.ts'
import { buildNodeOperation, type NodeOperation } from '../registry/build-node-operation.ts'
import { checkNodeOperation, type OperationCheck } from '../registry/check-node-operation.ts'
import { explainScore, type ScoreExplanation } from '../registry/explain-score.ts'
import { type IgnoredOperation, listIgnoredOperations } from '../registry/list-ignored-operations.ts'
import { listNodes, type NodeFilter, type NodeList } from '../registry/list-nodes.ts'
import {
  type DayRewards,
  explainRewards,
  getRewards,
  type RewardExplanation,
} from '../rewards/get-rewards.ts'
import {
  type ClientContext,
  type ClientOptions,
  createClientContext,
  requireAccount,
} from './client-context.ts'

/** Options of every `publish…` method. */
export interface PublishOptions extends SendOptions {
  channel?: string
  owner?: string
}

/** Channel of registry posts in every network so far (protocol 06 §1). */
const registryChannel = mainnetProfile.channels.registry

interface Abortable {
  signal?: AbortSignal
}

/**
 * Everything an application asks of a core node, in one object. Each method is a function of its own too
 * (`sendMessage(client.context, …)`), for bundles that want only what they use.
 *
 * @example
 * const account = EthereumAccount.fromPrivateKey(process.env.KEY!)
 * const client = new AlephClient({ apiUrl: 'http://127.0.0.1:4024', account, channel: 'my-app' })
 * const { itemHash } = await client.publishPost({ postType: 'note', content: { body: 'Hello' } })
 */
export class AlephClient {
  readonly context: ClientContext

  constructor(options: ClientOptions) {
    this.context = createClientContext(options)
  }

  send(message: BuiltMessage | SignedMessage, options?: SendOptions): Promise<SentMessage> {
    return sendMessage(this.context, message, options)
  }

  async publishPost(fields: PostFields, options: PublishOptions = {}): Promise<SentMessage> {
    return this.send(buildPost(fields, this.#messageOptions(options)), options)
  }

  async publishAggregate(fields: AggregateFields, options: PublishOptions = {}): Promise<SentMessage> {
    return this.send(buildAggregate(fields, this.#messageOptions(options)), options)
  }

  async forget(fields: ForgetFields, options: PublishOptions = {}): Promise<SentMessage> {
    return this.send(buildForget(fields, this.#messageOptions(options)), options)
  }

  /** Changes the registry of nodes: registers, links, stakes (protocol 06 §2.1). */
  async publishNodeOperation(operation: NodeOperation, options: PublishOptions = {}): Promise<SentMessage> {
    const channel = options.channel ?? registryChannel
    return this.send(buildNodeOperation(operation, this.#messageOptions({ ...options, channel })), options)
  }

  /** What would become of an operation if `address` published it now. */
  checkNodeOperation(
    address: string,
    operation: NodeOperation,
    options?: Abortable,
  ): Promise<OperationCheck> {
    return checkNodeOperation(this.context, address, operation, options)
  }

  listNodes(filter?: NodeFilter & Abortable): Promise<NodeList> {
    return listNodes(this.context, filter)
  }

  listIgnoredOperations(
    filter?: { address?: string; node?: string } & Abortable,
  ): Promise<IgnoredOperation[]> {
    return listIgnoredOperations(this.context, filter)
  }

  /** Why a node has the score it has. */
  explainScore(nodeHash: string, options?: Abortable): Promise<ScoreExplanation> {
    return explainScore(this.context, nodeHash, options)
  }

  /** What a UTC day earns whom. */
  getRewards(day: string, options?: Abortable): Promise<DayRewards> {
    return getRewards(this.context, day, options)
  }

  /** Why an address earns what it does on a UTC day. */
  explainRewards(day: string, address: string, options?: Abortable): Promise<RewardExplanation> {
    return explainRewards(this.context, day, address, options)
  }

  uploadFile(params: UploadFileParams): Promise<UploadedFile> {
    return uploadFile(this.context, params)
  }

  uploadFolder(params: UploadFolderParams): Promise<UploadedFolder> {
    return uploadFolder(this.context, params)
  }

  downloadFile(fileHash: string, options?: Abortable): Promise<ReadableStream<Uint8Array>> {
    return downloadFile(this.context, fileHash, options)
  }

  findFile(storeItemHash: string, options?: Abortable): Promise<StoredFile> {
    return findFile(this.context, storeItemHash, options)
  }

  deployProgram(params: DeployProgramParams): Promise<DeployedProgram> {
    return deployProgram(this.context, params)
  }

  callProgram(vmHash: string, path?: string, init?: CallProgramOptions): Promise<Response> {
    return callProgram(this.context, vmHash, path, init)
  }

  getAllocation(vmHash: string, options?: Abortable): Promise<Allocation | null> {
    return getAllocation(this.context, vmHash, options)
  }

  waitForAllocation(vmHash: string, options?: Abortable & { timeoutMs?: number }): Promise<Allocation> {
    return waitForAllocation(this.context, vmHash, options)
  }

  /** Moves an instance of the account's with its disks to another compute node, and waits until it runs there. */
  migrateInstance(params: MigrateInstanceParams): Promise<MigratedInstance> {
    return migrateInstance(this.context, params)
  }

  getMessage(itemHash: string, options?: Abortable): Promise<MessageLookup> {
    return getMessage(this.context, itemHash, options)
  }

  getMessageStatus(itemHash: string, options?: Abortable): Promise<MessageStatus | null> {
    return getMessageStatus(this.context, itemHash, options)
  }

  waitForMessage(itemHash: string, options?: WaitOptions): Promise<MessageStatus> {
    return waitForMessage(this.context, itemHash, options)
  }

  listMessages(options?: ListMessagesOptions): Promise<MessagePage> {
    return listMessages(this.context, options)
  }

  watchMessages(options?: WatchOptions): AsyncGenerator<NetworkMessage, void, undefined> {
    return watchMessages(this.context, options)
  }

  getAggregate(owner: string, key: string, options?: Abortable): Promise<unknown> {
    return getAggregate(this.context, owner, key, options)
  }

  getAggregates(
    owner: string,
    options?: Abortable & { keys?: readonly string[] },
  ): Promise<Record<string, unknown>> {
    return getAggregates(this.context, owner, options)
  }

  getBalance(address: string, options?: Abortable & { chain?: string }): Promise<Balance> {
    return getBalance(this.context, address, options)
  }

  listCreditHistory(
    address: string,
    options?: Abortable & { page?: number; pageSize?: number },
  ): Promise<CreditHistoryEntry[]> {
    return listCreditHistory(this.context, address, options)
  }

  /** Gives credits of the account to others. */
  async sendCredits(gifts: CreditGift[], options: PublishOptions = {}): Promise<SentMessage> {
    return this.send(buildCreditTransfer(gifts, this.#messageOptions(options)), options)
  }

  listCosts(address: string, paymentType: PaymentType, options?: Abortable): Promise<ResourceCost[]> {
    return listCosts(this.context, address, paymentType, options)
  }

  getPrice(itemHash: string, options?: Abortable): Promise<Price> {
    return getPrice(this.context, itemHash, options)
  }

  estimatePrice(message: { type: MessageType; text: string }, options?: Abortable): Promise<Price> {
    return estimatePrice(this.context, message, options)
  }

  getNodeVersion(options?: Abortable & { timeoutMs?: number }): Promise<string> {
    return getNodeVersion(this.context, options)
  }

  #messageOptions(options: PublishOptions): MessageOptions {
    return {
      account: requireAccount(this.context),
      channel: options.channel ?? this.context.channel,
      ...(options.owner === undefined ? {} : { owner: options.owner }),
    }
  }
}
