import { z } from 'zod'

const hash = z.union([z.string().min(1).max(128), z.null()])
const release = z.strictObject({
  version: z.string().min(1).max(64),
  /** Epoch seconds. */
  releasedAt: z.number().nonnegative(),
})

export const scoringPolicySchema = z.strictObject({
  /** Observers measure every node this often. */
  measureSeconds: z.int().positive(),
  /** Scores are given for periods of this length, counted from 1970. */
  periodSeconds: z.int().positive(),
  /** Measurements that are published later than this after a period do not count. */
  graceSeconds: z.int().nonnegative(),
  /** A file that every core node must serve; null: none is asked for. */
  probeFile: hash,
  /** A program that every compute node must run; null: compute nodes are not asked to run one. */
  diagnosticProgram: hash,
  /** Versions of the nodes' software, oldest first; without any, whatever a node runs is current. */
  releases: z.strictObject({ core: z.array(release).max(512), compute: z.array(release).max(512) }),
})

/** How a network measures its nodes and scores them (protocol 06 §4). */
export type ScoringPolicy = z.output<typeof scoringPolicySchema>
export type Release = z.output<typeof release>
