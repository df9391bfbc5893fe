import { Duplex } from 'node:stream'
import { GuestError } from '../guest-error.ts'
import { frameType, initialWindowBytes, maxPayloadBytes } from './frames.ts'

/** What a stream needs of its channel. */
export interface StreamCarrier {
  /** Sends a frame. False when the socket asks to wait; `resume` of each stream is then called later. */
  send(type: number, stream: number, payload?: Uint8Array): boolean
  /** True while the socket asks to wait. */
  readonly congested: boolean
  forget(stream: GuestStream): void
}

/** Credit goes back in steps, so that small reads do not each cost a frame. */
const creditStepBytes = 64 * 1024

/**
 * One byte stream of the guest channel: half-close by `end()`, reset by `destroy()`, and never more than the
 * window under way in either direction.
 */
export class GuestStream extends Duplex {
  readonly id: number
  readonly #carrier: StreamCarrier
  #sendCredit = initialWindowBytes
  #receiveCredit = initialWindowBytes
  #unreturned = 0
  #pending: { chunk: Buffer; done: (error?: Error | null) => void } | null = null
  #ended = { host: false, guest: false, reset: false }

  constructor(id: number, carrier: StreamCarrier) {
    super({ allowHalfOpen: true, readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 })
    this.id = id
    this.#carrier = carrier
    // A guest may reset at any time; an owner that does not listen yet must not be brought down by it.
    this.on('error', () => {})
  }

  /** Sends on what waited for credit or for the socket. */
  resumeWriting(): void {
    const pending = this.#pending
    if (pending === null || this.destroyed) return
    while (pending.chunk.length > 0 && this.#sendCredit > 0 && !this.#carrier.congested) {
      const length = Math.min(pending.chunk.length, this.#sendCredit, maxPayloadBytes)
      this.#carrier.send(frameType.data, this.id, pending.chunk.subarray(0, length))
      this.#sendCredit -= length
      pending.chunk = pending.chunk.subarray(length)
    }
    if (pending.chunk.length > 0) return
    this.#pending = null
    pending.done()
  }

  /** Takes a frame of the guest. Throws `channel_protocol` when the guest sends more than it may. */
  receive(type: number, payload: Buffer): void {
    if (type === frameType.data) {
      if (this.#ended.guest || payload.length > this.#receiveCredit)
        throw new GuestError(
          'channel_protocol',
          `The guest sent more on stream ${this.id} than its window allows`,
        )
      this.#receiveCredit -= payload.length
      this.#unreturned += payload.length
      // The payload is a view of the socket's buffer, which is not reused: no copy is needed.
      if (this.push(payload)) this.#returnCredit()
    } else if (type === frameType.end) {
      this.#ended.guest = true
      this.push(null)
    } else if (type === frameType.window && payload.length === 4) {
      this.#sendCredit += payload.readUInt32BE(0)
      this.resumeWriting()
    } else if (type === frameType.reset) {
      this.#ended.reset = true
      const reason = payload.toString('utf8', 0, 200)
      this.destroy(
        new GuestError('stream_reset', `The guest reset the connection: ${reason || 'no reason given'}`),
      )
    }
  }

  /** Ends the stream because the channel is gone. */
  lose(cause: GuestError): void {
    this.#ended.reset = true
    this.destroy(cause)
  }

  override _read(): void {
    this.#returnCredit()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#pending = { chunk, done }
    this.resumeWriting()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#ended.host = true
    this.#carrier.send(frameType.end, this.id)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { host, guest, reset } = this.#ended
    if (!reset && !(host && guest)) this.#carrier.send(frameType.reset, this.id)
    this.#carrier.forget(this)
    const pending = this.#pending
    this.#pending = null
    pending?.done(
      error ?? new GuestError('stream_reset', 'The stream was destroyed before its data was sent'),
    )
    done(error)
  }

  #returnCredit(): void {
    if (this.#unreturned < creditStepBytes || this.#ended.guest) return
    const credit = Buffer.alloc(4)
    credit.writeUInt32BE(this.#unreturned)
    this.#receiveCredit += this.#unreturned
    this.#unreturned = 0
    this.#carrier.send(frameType.window, this.id, credit)
  }
}
