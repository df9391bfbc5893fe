import type { Libp2p, PeerId, Stream } from '@libp2p/interface'
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils'
import { type BitswapMessage, bitswapProtocol, encodeMessage } from './message.ts'

const openMs = 10_000
/** A peer that takes no more for so long is given up. */
const writeMs = 30_000
/** A stream on which nothing was said for so long is closed. */
const idleMs = 10_000

/** What we have to say to one peer: messages in their order, on one stream. */
export class Outbox {
  readonly #host: Libp2p
  readonly #peer: PeerId
  readonly #signal: AbortSignal
  #open: { stream: Stream; frames: LengthPrefixedStream<Stream> } | undefined
  #last: Promise<void> = Promise.resolve()
  #idle: NodeJS.Timeout | undefined

  constructor(host: Libp2p, peer: PeerId, signal: AbortSignal) {
    this.#host = host
    this.#peer = peer
    this.#signal = signal
  }

  /**
   * Resolves when the message is on its way: the peer takes it no slower than we are asked to send.
   *
   * @throws when the peer is not connected, or takes nothing
   */
  send(message: BitswapMessage): Promise<void> {
    const sent = this.#last.then(() => this.#write(encodeMessage(message)))
    this.#last = sent.catch(() => {})
    return sent
  }

  close(): void {
    clearTimeout(this.#idle)
    const { stream } = this.#open ?? {}
    this.#open = undefined
    void stream?.close({ signal: AbortSignal.timeout(1_000) }).catch((error: Error) => stream.abort(error))
  }

  async #write(bytes: Uint8Array): Promise<void> {
    clearTimeout(this.#idle)
    if (this.#open?.stream.status !== 'open') this.#open = undefined
    this.#open ??= await this.#openStream()
    const { stream, frames } = this.#open
    try {
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(writeMs)])
      await frames.write(bytes, { signal })
    } catch (error) {
      this.#open = undefined
      stream.abort(error as Error)
      throw error
    }
    this.#idle = setTimeout(() => this.close(), idleMs)
    this.#idle.unref()
  }

  async #openStream() {
    const [connection] = this.#host.getConnections(this.#peer)
    if (!connection) throw new Error('the peer is not connected')
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(openMs)])
    const stream = await connection.newStream(bitswapProtocol, { signal })
    return { stream, frames: lpStream(stream) }
  }
}
