import {
  defaultTopicScoreParams,
  type PeerScoreParams,
  type PeerScoreThresholds,
} from '@libp2p/gossipsub/score'

/** Below this a peer is not listened to, and soon disconnected. */
export const graylistScore = -1_000

export const scoreThresholds: PeerScoreThresholds = {
  gossipThreshold: -200,
  publishThreshold: -500,
  graylistThreshold: graylistScore,
  acceptPXThreshold: 100,
  opportunisticGraftThreshold: 5,
}

/**
 * What gossipsub thinks of a peer. Rubbish counts by its square and is forgotten within a minute: nodes of the
 * production network forward whatever they get without a look, so one that passes a few bad messages on is no enemy,
 * but three a second, or some thirty at once, are too many. That a topic is quiet is nobody's fault.
 */
export function peerScoreParams(
  topics: string[],
  appSpecificScore: (peerId: string) => number,
): Partial<PeerScoreParams> {
  const topic = {
    ...defaultTopicScoreParams,
    topicWeight: 1,
    timeInMeshWeight: 0.01,
    timeInMeshQuantum: 1_000,
    timeInMeshCap: 300,
    firstMessageDeliveriesWeight: 0.1,
    firstMessageDeliveriesDecay: 0.97,
    firstMessageDeliveriesCap: 200,
    meshMessageDeliveriesWeight: 0,
    meshFailurePenaltyWeight: 0,
    invalidMessageDeliveriesWeight: -1,
    invalidMessageDeliveriesDecay: 0.9,
  }
  return {
    topics: Object.fromEntries(topics.map((name) => [name, topic])),
    topicScoreCap: 50,
    appSpecificScore,
    appSpecificWeight: 1,
    IPColocationFactorWeight: -1,
    IPColocationFactorThreshold: 20,
    IPColocationFactorWhitelist: new Set(['127.0.0.1', '::1']),
    behaviourPenaltyWeight: -1,
    behaviourPenaltyThreshold: 10,
    behaviourPenaltyDecay: 0.9,
    decayInterval: 1_000,
    decayToZero: 0.1,
    retainScore: 10 * 60_000,
  }
}
