import { addressKey } from '@aleph-ts/protocol'
import { stakingToken } from './chains/staking-token.ts'
import { ConfigError } from './config.ts'
import type { CoreNodeContext } from './context.ts'
import { CreditBiller } from './credits/credit-biller.ts'
import { CreditSeller } from './credits/credit-seller.ts'
import { loadOperatorKey, loadPublisherKey, type OperatorKey } from './operator-key.ts'
import type { Registry } from './registry/registry.ts'
import { RegistryPublisher } from './registry/registry-publisher.ts'
import { RewardPayer } from './rewards/reward-payer.ts'
import type { Rewards } from './rewards/rewards.ts'
import { TokenPayer } from './rewards/token-payer.ts'
import { Observer } from './scoring/observer.ts'
import type { ScoreBook } from './scoring/score-book.ts'
import { ScorePublisher } from './scoring/score-publisher.ts'
import { ScoreWatch } from './scoring/score-watch.ts'

interface Duty {
  start(): void
  stop(): Promise<void>
}

export interface DutyServices {
  registry: Registry
  scores: ScoreBook
  rewards: Rewards
  /** Where this node answers, once it does. */
  ownUrl: () => string | undefined
}

/**
 * What the network asks of this node because of its keys: to publish the registry, to measure nodes, to score them, to
 * sell credits and bill them, to pay rewards. The profile names the addresses; every other node checks what comes of it.
 */
export class Duties {
  readonly #duties: Duty[]
  readonly #watch: Duty
  #stopped = false

  private constructor(watch: Duty, duties: Duty[]) {
    this.#watch = watch
    this.#duties = duties
  }

  /** @throws {ConfigError} when a key cannot be read, or is not the one that the profile names */
  static async create(context: CoreNodeContext, services: DutyServices): Promise<Duties> {
    const { config, profile, operatorKey, metrics } = context
    const { registry, scores, rewards, ownUrl } = services
    const { corechannel, credits, observers, scores: scorers } = profile.addresses
    const key = await loadPublisherKey(config, operatorKey)
    const duties: Duty[] = []
    if (isOneOf([corechannel], key)) duties.push(new RegistryPublisher({ context, registry, key }))
    if (isOneOf(observers, operatorKey)) duties.push(new Observer({ context, registry, url: ownUrl }))
    if (isOneOf(scorers, key)) duties.push(new ScorePublisher({ context, scores, key }))
    if (isOneOf(credits, key)) {
      duties.push(new CreditSeller({ context, key }), new CreditBiller({ context, registry, key }))
    }
    if (config.rewardsKeyFile) {
      duties.push(await createRewardPayer(context, rewards, await loadOperatorKey(config.rewardsKeyFile)))
    }
    return new Duties(new ScoreWatch(context, scores, metrics.registry), duties)
  }

  /** Does nothing in the network's name before `synced`: an old state would speak. */
  start(synced: Promise<void>): void {
    this.#watch.start()
    void synced.then(() => {
      if (!this.#stopped) for (const duty of this.#duties) duty.start()
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([this.#watch, ...this.#duties].map((duty) => duty.stop()))
  }
}

async function createRewardPayer(
  context: CoreNodeContext,
  rewards: Rewards,
  key: OperatorKey,
): Promise<RewardPayer> {
  const { config, profile } = context
  const token = stakingToken(config)
  if (!isOneOf([profile.addresses.rewardsPayer], key) || !token) {
    throw new ConfigError(
      `The rewards key is that of ${key.address}: it must be the profile's addresses.rewardsPayer, and an Ethereum RPC and the token's contract must be set`,
    )
  }
  const payer = new TokenPayer({
    rpcUrl: token.rpcUrl,
    evmChainId: token.evmChainId,
    token: token.contract,
    privateKey: key.privateKey,
    finalityBlocks: profile.rewards.finalityBlocks,
  })
  return new RewardPayer({ context, rewards, payer, key })
}

function isOneOf(addresses: readonly string[], { address }: OperatorKey): boolean {
  return addresses.some((each) => addressKey('ETH', each) === addressKey('ETH', address))
}
