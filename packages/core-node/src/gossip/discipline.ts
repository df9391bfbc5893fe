import type { Logger } from 'pino'
import { scoreOf } from './gossipsub-internals.ts'
import type { P2pHost } from './host.ts'
import type { PeerConduct } from './peer-conduct.ts'
import { graylistScore } from './peer-scoring.ts'

const periodMs = 1_000
/** Looks in a row at which a peer must be found below the line. */
const patience = 3
/** Below this a peer is no clumsy relay of rubbish but makes it: it is not looked at twice. */
const hopelessScore = 10 * graylistScore

/** Disconnects strangers that stay below the score at which they are listened to, and keeps them out for a while. */
export class Discipline {
  readonly #host: P2pHost
  readonly #conduct: PeerConduct
  readonly #logger: Logger
  #strikes = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(host: P2pHost, conduct: PeerConduct, logger: Logger) {
    this.#host = host
    this.#conduct = conduct
    this.#logger = logger
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), periodMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const strikes = new Map<string, number>()
    for (const peer of this.#host.getPeers()) {
      const id = peer.toString()
      const score = scoreOf(this.#host.services.pubsub, id)
      // Members may only have relayed it: they are not listened to meanwhile, and can make it good.
      if (score >= graylistScore || this.#conduct.isMember(id)) continue
      const count = (this.#strikes.get(id) ?? 0) + 1
      strikes.set(id, count)
      if (count < patience && score > hopelessScore) continue
      this.#logger.warn({ peer: id, score }, 'peer shut out for what it sent')
      this.#conduct.ban(id)
      // Saying goodbye would mean to hear all that is still on its way.
      for (const connection of this.#host.getConnections(peer)) connection.abort(new Error('Shut out'))
    }
    this.#strikes = strikes
  }
}
