import type { ContentFetcher, CoreNodeContext } from '../context.ts'
import { loadOperatorKey } from '../operator-key.ts'
import { ChainReader } from './chain-reader.ts'
import type { ContractEvent } from './contract-event.ts'
import { contractEventLedger } from './contract-event-ledger.ts'
import { EventIntake } from './event-intake.ts'
import {
  evmFinality,
  evmRpcUrl,
  type FollowedContract,
  followedContracts,
  syncStream,
} from './followed-contracts.ts'
import { Packer } from './packer.ts'

/**
 * The way between the network and the contracts where it meets chains: batches and messages come in, and, when this
 * node packs, batches of its unconfirmed messages go out (protocol 04 §12).
 */
export class ChainBridge {
  readonly #intake: EventIntake
  readonly #readers: ChainReader<ContractEvent>[]
  readonly #packer: Packer | undefined

  private constructor(
    intake: EventIntake,
    readers: ChainReader<ContractEvent>[],
    packer: Packer | undefined,
  ) {
    this.#intake = intake
    this.#readers = readers
    this.#packer = packer
  }

  /**
   * @throws {ConfigError} when the packer's key cannot be read
   */
  static async create(
    context: CoreNodeContext,
    options: { fetcher: ContentFetcher; onConfirmed: () => void },
  ): Promise<ChainBridge> {
    const intake = new EventIntake({ context, fetcher: options.fetcher })
    const onChange = () => {
      intake.wake()
      options.onConfirmed()
    }
    const { contracts, unread } = followedContracts(context)
    for (const { chain, contract } of unread) {
      context.logger.info({ chain, contract }, 'no endpoint of this chain is set: its contract is not read')
    }
    const readers = contracts.map((contract) => createReader(context, contract, onChange))
    return new ChainBridge(intake, readers, await createPacker(context, readers))
  }

  start(): void {
    this.#intake.start()
    for (const reader of this.#readers) reader.start()
    this.#packer?.start()
  }

  async stop(): Promise<void> {
    await this.#packer?.stop()
    await Promise.all(this.#readers.map((reader) => reader.stop()))
    await this.#intake.stop()
  }
}

function createReader(
  { pool, logger }: CoreNodeContext,
  contract: FollowedContract,
  onChange: () => void,
): ChainReader<ContractEvent> {
  return new ChainReader({
    pool,
    logger,
    ...contract,
    ledger: contractEventLedger(contract.stream),
    onChange,
  })
}

/** Batches go to the sync contract, when this node has a key to send them with. */
async function createPacker(
  context: CoreNodeContext,
  readers: ChainReader<ContractEvent>[],
): Promise<Packer | undefined> {
  const { packer: settings } = context.config
  const { syncContract: contract } = context.profile
  const reader = readers.find(({ progress }) => progress.stream === syncStream)
  const rpcUrl = contract && evmRpcUrl(context.config, contract.chain)
  if (!settings || !contract || !reader || !rpcUrl) return undefined
  const { privateKey } = await loadOperatorKey(settings.privateKeyFile)
  return new Packer({
    context,
    settings,
    privateKey,
    contract,
    rpcUrl,
    reader,
    reorgWindow: evmFinality.reorgWindow,
  })
}
