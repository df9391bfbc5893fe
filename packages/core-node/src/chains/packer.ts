import { alephSyncAbi } from '@aleph-ts/contracts'
import { mayPack, type NetworkProfile, offChainPayload } from '@aleph-ts/protocol'
import {
  BaseError,
  bytesToHex,
  createPublicClient,
  ExecutionRevertedError,
  encodeFunctionData,
  fallback,
  getAddress,
  http,
  keccak256,
  parseGwei,
  TransactionReceiptNotFoundError,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { ConfigError, type PackerSettings } from '../config.ts'
import type { CoreNodeContext } from '../context.ts'
import { RepeatedWork } from '../repeated-work.ts'
import type { ChainReader } from './chain-reader.ts'
import type { ContractEvent } from './contract-event.ts'
import { endpointUrls } from './json-endpoint.ts'
import {
  allEventsSettled,
  markDone,
  openBatches,
  type PackedBatch,
  packMessages,
  saveTransaction,
} from './packed-batches.ts'

/** A transaction that no block took for this long is sent again with a higher fee, ms. */
const patienceMs = 180_000

export interface PackerConfig {
  context: Pick<CoreNodeContext, 'pool' | 'logger' | 'fileStore'>
  settings: PackerSettings
  privateKey: Uint8Array
  contract: NonNullable<NetworkProfile['syncContract']>
  rpcUrl: string
  reader: ChainReader<ContractEvent>
  reorgWindow: number
}

/**
 * Packs unconfirmed messages into batches and puts each on chain exactly once (protocol 04 §16), in turns with other
 * packers where the profile says so.
 *
 * A batch is written down before anything is sent, and so is each signed transaction. All transactions of a batch
 * share a nonce until somebody else has used it, so that at most one of them ever counts. A batch is watched until
 * its event is too deep in the chain to be taken back.
 */
export class Packer {
  readonly #config: PackerConfig
  readonly #client
  readonly #account
  readonly #rounds: RepeatedWork

  /** @throws {ConfigError} when nobody would believe this key */
  constructor(config: PackerConfig) {
    this.#config = config
    this.#account = privateKeyToAccount(bytesToHex(config.privateKey))
    this.#client = createPublicClient({
      transport: fallback(endpointUrls(config.rpcUrl).map((url) => http(url))),
      cacheTime: 0,
    })
    if (!config.contract.authorizedEmitters.includes(this.#account.address)) {
      throw new ConfigError(
        `The packer's key is that of ${this.#account.address}, which is none of the profile's syncContract.authorizedEmitters`,
      )
    }
    this.#rounds = new RepeatedWork({
      work: () => this.#round(),
      pauseMs: () => config.settings.seconds * 1000,
      onError: (error) => config.context.logger.warn({ err: error }, 'messages cannot be put on chain now'),
    })
  }

  start(): void {
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    await this.#rounds.stop()
  }

  async #round(): Promise<void> {
    const { context, contract, reader, reorgWindow } = this.#config
    await reader.sync()
    // Messages that others packed must count as confirmed first.
    if (!(await allEventsSettled(context))) return
    const where = { chain: contract.chain, emitter: this.#account.address }
    const head = reader.progress.head ?? 0
    const missing: PackedBatch[] = []
    for (const batch of await openBatches(context, where)) {
      if (batch.block_number === null) missing.push(batch)
      else if (Number(batch.block_number) <= head - reorgWindow) await markDone(context, batch.file_hash)
    }
    const isTurn = mayPack(head, where.emitter, contract)
    if (missing.length === 0 && isTurn && (await packMessages(context, where.emitter))) {
      const open = await openBatches(context, where)
      missing.push(...open.filter((batch) => batch.block_number === null))
    }
    // One at a time: nonces stay simple, and the next waits until the node has read this one back.
    if (missing[0]) await this.#emit(missing[0])
  }

  async #emit(batch: PackedBatch): Promise<void> {
    const { logger } = this.#config.context
    const used = await this.#client.getTransactionCount({ address: this.#account.address })
    if (batch.raw_transaction && batch.nonce !== null && (await this.#isMined(batch))) return
    const isFree = batch.nonce !== null && Number(batch.nonce) >= used
    const isFresh = batch.sent !== null && Date.now() - batch.sent.getTime() < patienceMs
    if (batch.raw_transaction && isFree && isFresh) {
      await this.#send(batch.raw_transaction)
      return
    }
    const transaction = await this.#sign(batch, isFree ? Number(batch.nonce) : used, isFree)
    await saveTransaction(this.#config.context, batch.file_hash, transaction)
    logger.info({ batch: batch.file_hash, tx_hash: transaction.hash }, 'a batch goes on chain')
    await this.#send(transaction.raw)
  }

  async #isMined({ tx_hash }: PackedBatch): Promise<boolean> {
    try {
      const { status } = await this.#client.getTransactionReceipt({ hash: tx_hash! })
      return status === 'success'
    } catch (error) {
      if (error instanceof TransactionReceiptNotFoundError) return false
      throw error
    }
  }

  async #sign(batch: PackedBatch, nonce: number, isReplacement: boolean) {
    const { contract, settings } = this.#config
    const to = getAddress(contract.contract)
    const { data, gas } = await this.#callData(to, batch)
    const { maxFeePerGas, maxPriorityFeePerGas } = await this.#client.estimateFeesPerGas()
    // Nodes take a replacement only when it pays clearly more.
    const raise = isReplacement ? 2n : 1n
    const most = parseGwei(String(settings.mostGweiPerGas))
    if (maxFeePerGas * raise > most) {
      throw new Error(`Gas costs more than ${settings.mostGweiPerGas} gwei now; raise mostGweiPerGas or wait`)
    }
    const raw = await this.#account.signTransaction({
      type: 'eip1559',
      chainId: contract.evmChainId,
      nonce,
      to,
      data,
      gas: (gas * 12n) / 10n,
      maxFeePerGas: maxFeePerGas * raise,
      maxPriorityFeePerGas: maxPriorityFeePerGas * raise,
    })
    return { nonce, raw, hash: keccak256(raw) }
  }

  /** Older contracts cannot keep the root: there the batch goes without. */
  async #callData(to: `0x${string}`, { file_hash, root }: PackedBatch) {
    const payload = offChainPayload(file_hash)
    const abi = alephSyncAbi
    const estimate = (data: `0x${string}`) => this.#client.estimateGas({ account: this.#account, to, data })
    const withRoot = encodeFunctionData({ abi, functionName: 'doEmitBatch', args: [payload, root] })
    try {
      return { data: withRoot, gas: await estimate(withRoot) }
    } catch (error) {
      const isRefused =
        error instanceof BaseError && error.walk((cause) => cause instanceof ExecutionRevertedError)
      if (!isRefused) throw error
    }
    const plain = encodeFunctionData({ abi, functionName: 'doEmit', args: [payload] })
    return { data: plain, gas: await estimate(plain) }
  }

  /** Refusals need no action here: the next round sees whether a block took it. */
  async #send(raw: `0x${string}`): Promise<void> {
    await this.#client.sendRawTransaction({ serializedTransaction: raw }).catch((error: Error) => {
      this.#config.context.logger.debug({ reason: error.name }, 'the chain did not take a batch (again)')
    })
  }
}
