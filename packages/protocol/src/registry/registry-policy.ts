import { z } from 'zod'

const aleph = z.number().nonnegative()
const count = z.int().nonnegative()

export const registryPolicySchema = z.strictObject({
  /**
   * What nodes go by: the registry each of them computes, or the one that is published. Whoever reads no chain cannot
   * compute it and goes by the published one.
   */
  source: z.enum(['computed', 'published']).default('published'),
  /** Registry and score posts must carry one of these tags. */
  tags: z.array(z.string().min(1).max(64)).min(1).max(16),
  /** ALEPH that the owner of a core node must keep; it does not count as stake. */
  nodeThreshold: aleph,
  /** ALEPH that a staker must keep. */
  stakingThreshold: aleph,
  /** ALEPH others must have staked on a core node to make it active. */
  nodeActivation: aleph,
  /** Compute nodes a core node may link. */
  maxLinked: count,
  /**
   * What no two nodes may share in their addresses. A host, so that nobody counts one machine twice; or, where all
   * nodes are on one machine, a host with its port.
   */
  uniqueAddresses: z.enum(['host', 'endpoint']).default('host'),
  /** Core nodes created before this height earn a bonus. */
  bonusUntilHeight: count,
  /** Blocks after which a compute node that is inactive and unlinked is dropped. */
  inactiveBlocks: count,
  /** Above this height they are dropped at all. */
  inactiveFromHeight: count,
  /** Scores that follow each other within so many blocks are of one round: the better one counts. */
  scoreRoundBlocks: count.default(10),
  /** Heights, both included, whose scores are ignored. */
  discardedScores: z.array(z.tuple([count, count])).max(64),
  /** Platforms whose balances secure nodes and stakes, besides the token's own transfers on Ethereum. */
  balancePlatforms: z.array(z.string().min(1).max(64)).max(16),
})

/** The numbers a network's registry of nodes lives by (protocol 06 §1). */
export type RegistryPolicy = z.output<typeof registryPolicySchema>
