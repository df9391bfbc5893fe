import type { ContentFetcher, CoreNodeContext } from '../context.ts'
import { loadOperatorKey } from '../operator-key.ts'
import { ChainReader } from './chain-reader.ts'
import type { FinalityPolicy } from './chain-source.ts'
import { contractEventLedger } from './contract-event-ledger.ts'
import { type ContractEvent, evmContractEvents } from './contract-events.ts'
import { EventIntake } from './event-intake.ts'
import { Packer } from './packer.ts'

const stream = 'sync'
/** Read up to the head: whatever a chain takes back, we take back too. */
const finality: FinalityPolicy = { headLag: 0, reorgWindow: 64 }

/**
 * The way between the network and the contract where it meets a chain: batches and messages come in, and, when this
 * node packs, batches of its unconfirmed messages go out (protocol 04 §12).
 */
export class ChainBridge {
  readonly #intake: EventIntake
  readonly #reader: ChainReader<ContractEvent> | undefined
  readonly #packer: Packer | undefined

  private constructor(
    intake: EventIntake,
    reader: ChainReader<ContractEvent> | undefined,
    packer: Packer | undefined,
  ) {
    this.#intake = intake
    this.#reader = reader
    this.#packer = packer
  }

  /**
   * @throws {ConfigError} when the packer's key cannot be read
   */
  static async create(
    context: CoreNodeContext,
    options: { fetcher: ContentFetcher; onConfirmed: () => void },
  ): Promise<ChainBridge> {
    const { config, profile, pool, logger } = context
    const intake = new EventIntake({ context, fetcher: options.fetcher })
    const contract = profile.syncContract
    const rpcUrl = contract && (config.evmRpc[contract.chain] ?? config.ethereumRpc)
    if (!contract || !rpcUrl) return new ChainBridge(intake, undefined, undefined)
    const source = evmContractEvents({ ...contract, rpcUrl })
    const reader = await ChainReader.create({
      pool,
      logger,
      source,
      ledger: contractEventLedger(stream),
      chain: contract.chain,
      stream,
      startBlock: contract.startBlock,
      finality,
      onChange: () => {
        intake.wake()
        options.onConfirmed()
      },
    })
    const packer =
      config.packer &&
      new Packer({
        context,
        settings: config.packer,
        privateKey: (await loadOperatorKey(config.packer.privateKeyFile)).privateKey,
        contract,
        rpcUrl,
        reader,
        reorgWindow: finality.reorgWindow,
      })
    return new ChainBridge(intake, reader, packer)
  }

  async start(): Promise<void> {
    this.#intake.start()
    await this.#reader?.start()
    this.#packer?.start()
  }

  async stop(): Promise<void> {
    await this.#packer?.stop()
    await this.#reader?.stop()
    await this.#intake.stop()
  }
}
