import { dropComputeNode } from './nodes.ts'
import type { NodeScore, ScoreEvent } from './registry-event.ts'
import type { RegistryPolicy } from './registry-policy.ts'
import type { RegisteredComputeNode, RegisteredCoreNode, RegistryState } from './registry-state.ts'

/** Below this a node counts as not there. */
const leastScore = 0.01

/** Whether scores of this height count at all. */
export function isDiscarded(height: number, policy: RegistryPolicy): boolean {
  return policy.discardedScores.some(([from, to]) => height >= from && height <= to)
}

/** New scores (protocol 06 §2.6); compute nodes that nobody saw for long, and nobody linked, are dropped. */
export function applyScores(state: RegistryState, event: ScoreEvent, policy: RegistryPolicy): void {
  const { height } = event
  const isSameRound =
    state.lastScoreHeight !== null && height - state.lastScoreHeight < policy.scoreRoundBlocks
  for (const score of event.coreNodes) {
    const node = state.coreNodes.get(score.nodeId)
    if (node) applyScore(node, score, height, isSameRound)
  }
  for (const score of event.computeNodes) {
    const node = state.computeNodes.get(score.nodeId)
    if (!node) continue
    applyScore(node, score, height, isSameRound)
    if (isLost(node, height, policy)) dropComputeNode(state, node)
  }
  state.lastScoreHeight = height
}

function applyScore(
  node: RegisteredCoreNode | RegisteredComputeNode,
  { totalScore, performance, decentralization }: NodeScore,
  height: number,
  isSameRound: boolean,
): void {
  const keep = (current: number, next: number) => (isSameRound ? Math.max(current, next) : next)
  node.score = keep(node.score, clamp(totalScore))
  node.performance = keep(node.performance, clamp(performance))
  node.decentralization = clamp(decentralization)
  node.scoreUpdated = true
  node.inactiveSince = node.score < leastScore ? (node.inactiveSince ?? height) : null
}

function isLost(node: RegisteredComputeNode, height: number, policy: RegistryPolicy): boolean {
  return (
    node.inactiveSince !== null &&
    node.parent === null &&
    height > policy.inactiveFromHeight &&
    height - node.inactiveSince > policy.inactiveBlocks
  )
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value))
}
