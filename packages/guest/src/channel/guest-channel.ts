import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { GuestError } from '../guest-error.ts'
import { connectSocket } from './connect-socket.ts'
import { connectVsock } from './connect-vsock.ts'
import {
  decodeVerb,
  encodeFrame,
  encodeVerb,
  type Frame,
  FrameReader,
  frameHeaderBytes,
  frameType,
  maxPayloadBytes,
} from './frames.ts'
import { GuestStream, type StreamCarrier } from './guest-stream.ts'
import { HelloScanner } from './hello-scanner.ts'

export interface GuestChannelOptions {
  /** Time until the guest must have answered hello. Default 60,000 ms. */
  timeoutMs?: number
  /** Time until the guest must have answered a control verb. Default 30,000 ms. */
  controlTimeoutMs?: number
  /** Streams that may be open at once, per direction. Default 1,024. */
  maxStreams?: number
  /** The socket is where Firecracker offers the guest's vsock, on which the agent listens at this port. */
  vsockPort?: number
}

type ChannelLimits = Required<Omit<GuestChannelOptions, 'vsockPort'>>

const defaultLimits: ChannelLimits = { timeoutMs: 60_000, controlTimeoutMs: 30_000, maxStreams: 1024 }

/**
 * What a guest may leave unread. Data waits for it, so only answers to what it asks for come together: a guest that
 * asks without reading shall not fill its host's memory.
 */
const maxUnreadBytes = 1024 * 1024

/** What the program in the guest is doing: `idle` before `start`, `ready` once it listens. */
export type ProgramState = 'idle' | 'starting' | 'ready' | 'exited'

export type StreamHandler = (destination: string, stream: Duplex) => void

interface ChannelEvents {
  /** `ready`, `exited` (code or signal), `failed` (reason) */
  event: [verb: string, fields: Record<string, string>]
  /** The channel is gone; null after `close()`. Comes once. */
  close: [cause: GuestError | null]
  /** As `close` with a cause; not emitted when nobody listens for it. */
  error: [cause: GuestError]
}

interface PendingControl {
  resolve: () => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

/**
 * The host's end of the channel to one guest: control verbs, events, and byte streams to the program.
 *
 * ```ts
 * const channel = await GuestChannel.connect('/run/vm/channel.sock')
 * await channel.control('configure', { hostname: 'demo', entrypoint: 'main.ts' })
 * await channel.control('start')
 * const connection = channel.openStream('tcp:8080')
 * ```
 */
export class GuestChannel extends EventEmitter<ChannelEvents> {
  readonly #socket: Socket
  readonly #options: ChannelLimits
  readonly #reader = new FrameReader()
  readonly #streams = new Map<number, GuestStream>()
  readonly #controls = new Map<string, PendingControl>()
  readonly #carrier: StreamCarrier
  #hello: { version: string; state: ProgramState; features: string[] } | null = null
  #handler: StreamHandler | null = null
  #nextStream = 1
  #nextControl = 1
  #guestStreams = 0
  #congested = false
  #closed = false

  /**
   * Opens the channel and resolves once the guest answered hello; waits for the socket to appear.
   * Throws `channel_timeout` or `channel_closed`. A reconnect ends every stream of an earlier connection.
   */
  static async connect(socketPath: string, options: GuestChannelOptions = {}): Promise<GuestChannel> {
    const { timeoutMs = defaultLimits.timeoutMs, vsockPort } = options
    const deadline = Date.now() + timeoutMs
    const socket = await (vsockPort === undefined
      ? connectSocket(socketPath, deadline)
      : connectVsock(socketPath, vsockPort, deadline))
    return GuestChannel.over(socket, { ...options, timeoutMs: deadline - Date.now() })
  }

  /** As `connect`, through a socket that is connected already. */
  static async over(socket: Socket, options: GuestChannelOptions = {}): Promise<GuestChannel> {
    const limits = { ...defaultLimits, ...options }
    const channel = new GuestChannel(socket, limits)
    await channel.#shakeHands(limits.timeoutMs)
    return channel
  }

  private constructor(socket: Socket, options: ChannelLimits) {
    super()
    this.#socket = socket
    this.#options = options
    const channel = this
    this.#carrier = {
      send: (type, stream, payload) => channel.#send(type, stream, payload),
      get congested() {
        return channel.#congested
      },
      forget: (stream) => channel.#forget(stream),
    }
    socket.on('drain', () => {
      this.#congested = false
      for (const stream of this.#streams.values()) stream.resumeWriting()
    })
    socket.on('error', (cause) =>
      this.#end(new GuestError('channel_closed', `The guest channel broke: ${cause.message}`, { cause })),
    )
    socket.on('close', () => this.#end(new GuestError('channel_closed', 'The guest channel was closed')))
  }

  /** Version of the guest agent, such as `3.0`. */
  get guestVersion(): string {
    return this.#hello?.version ?? ''
  }

  /** State of the program, kept up to date by events; what a host that adopts a running VM asks first. */
  get programState(): ProgramState {
    return this.#hello?.state ?? 'idle'
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Sends a control verb and resolves when the guest did it. Throws `control_refused` with the guest's reason,
   * `control_invalid` for fields that cannot be sent, `channel_timeout` or `channel_closed`.
   */
  control(verb: string, fields: Record<string, string | string[]> = {}): Promise<void> {
    if (this.#closed) return Promise.reject(new GuestError('channel_closed', 'The guest channel is closed'))
    const id = String(this.#nextControl++)
    return new Promise((resolve, reject) => {
      const payload = encodeVerb(verb, { id, ...fields })
      const timer = setTimeout(() => {
        this.#controls.delete(id)
        reject(new GuestError('channel_timeout', `The guest did not answer "${verb}" in time`))
      }, this.#options.controlTimeoutMs)
      this.#controls.set(id, { resolve, reject, timer })
      this.#send(frameType.control, 0, payload)
    })
  }

  /**
   * Opens a byte stream, `tcp:8080` being the program's HTTP server. A destination that cannot be reached ends
   * the stream with `stream_reset`. Throws `channel_closed`, or `stream_limit` when too many are open.
   */
  openStream(destination: string): Duplex {
    if (this.#closed) throw new GuestError('channel_closed', 'The guest channel is closed')
    if (this.#streams.size - this.#guestStreams >= this.#options.maxStreams)
      throw new GuestError('stream_limit', `More than ${this.#options.maxStreams} connections to the guest`)
    while (this.#streams.has(this.#nextStream)) this.#advance()
    const stream = new GuestStream(this.#nextStream, this.#carrier)
    this.#advance()
    this.#streams.set(stream.id, stream)
    this.#send(frameType.open, stream.id, Buffer.from(destination))
    return stream
  }

  /** Sets who gets the streams that the guest opens (`egress`). Without a handler they are reset. */
  onStream(handler: StreamHandler): void {
    this.#handler = handler
  }

  /** Closes the host's end; the guest keeps running and resets its streams. */
  async close(): Promise<void> {
    this.#end(null)
    if (this.#socket.closed) return
    await new Promise<void>((resolve) => this.#socket.once('close', () => resolve()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #shakeHands(timeoutMs: number): Promise<void> {
    const session = randomBytes(16).toString('hex')
    const hello = encodeFrame(frameType.control, 0, encodeVerb('hello', { session }))
    // A guest that holds half a frame of an earlier host takes the padding for the rest of it.
    const resync = Buffer.concat([Buffer.alloc(frameHeaderBytes + maxPayloadBytes), hello])
    const resyncTimer = setInterval(() => this.#socket.write(resync), 3_000)
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => {
          this.#end(new GuestError('channel_timeout', `The guest did not say hello within ${timeoutMs} ms`))
        }, timeoutMs)
        this.once('close', reject)
        const scanner = new HelloScanner(session)
        const onData = (bytes: Buffer) => {
          const found = scanner.scan(bytes)
          if (found === null) return
          this.#hello = found.hello
          this.#socket.off('data', onData)
          this.#socket.on('data', (more: Buffer) => this.#receive(more))
          // The caller gets a turn to listen for events before the first one is handed out.
          this.#socket.pause()
          setImmediate(() => {
            this.#receive(found.rest)
            this.#socket.resume()
          })
          resolve()
        }
        this.#socket.on('data', onData)
        this.#socket.write(hello)
      })
    } finally {
      clearInterval(resyncTimer)
      clearTimeout(timer)
    }
    this.removeAllListeners('close')
  }

  #advance(): void {
    this.#nextStream = this.#nextStream >= 0xffff_fffd ? 1 : this.#nextStream + 2
  }

  #send(type: number, stream: number, payload?: Uint8Array): boolean {
    if (this.#closed) return false
    if (!this.#socket.write(encodeFrame(type, stream, payload))) this.#congested = true
    if (this.#socket.writableLength > maxUnreadBytes) {
      const problem = `The guest left more than ${maxUnreadBytes} bytes of what it was sent unread`
      this.#end(new GuestError('channel_protocol', problem))
    }
    return !this.#congested
  }

  #forget(stream: GuestStream): void {
    if (this.#streams.delete(stream.id) && stream.id % 2 === 0) this.#guestStreams--
  }

  #receive(bytes: Buffer): void {
    try {
      for (const frame of this.#reader.read(bytes)) {
        if (this.#closed) return
        this.#onFrame(frame)
      }
    } catch (cause) {
      if (!(cause instanceof GuestError)) throw cause
      this.#end(cause)
    }
  }

  #onFrame({ type, stream, payload }: Frame): void {
    if (type === frameType.event) this.#onEvent(payload)
    else if (type === frameType.open) this.#onOpen(stream, payload)
    else if (type >= frameType.data && type <= frameType.window)
      this.#streams.get(stream)?.receive(type, payload)
    // A second hello answers a resync that was not needed.
    else if (type !== frameType.hello)
      throw new GuestError('channel_protocol', `The guest sent a frame of unknown type ${type}`)
  }

  #onOpen(id: number, payload: Buffer): void {
    if (id % 2 !== 0 || id === 0 || this.#streams.has(id))
      throw new GuestError('channel_protocol', `The guest opened stream ${id}, which it may not`)
    if (this.#handler === null || this.#guestStreams >= this.#options.maxStreams) {
      this.#send(
        frameType.reset,
        id,
        Buffer.from(this.#handler === null ? 'not offered' : 'too many streams'),
      )
      return
    }
    const stream = new GuestStream(id, this.#carrier)
    this.#streams.set(id, stream)
    this.#guestStreams++
    this.#handler(payload.toString('latin1', 0, 64), stream)
  }

  #onEvent(payload: Buffer): void {
    const { verb, fields } = decodeVerb(payload)
    const pending = this.#controls.get(fields.id ?? '')
    if (pending !== undefined && (verb === 'ack' || verb === 'failed')) {
      this.#controls.delete(fields.id!)
      clearTimeout(pending.timer)
      if (verb === 'ack') pending.resolve()
      else
        pending.reject(
          new GuestError('control_refused', fields.reason ?? 'The guest refused without a reason'),
        )
      if (verb === 'ack' && fields.verb === 'start' && this.#hello?.state === 'idle')
        this.#hello.state = 'starting'
      return
    }
    if (this.#hello !== null && (verb === 'ready' || verb === 'exited')) this.#hello.state = verb
    this.emit('event', verb, fields)
  }

  #end(cause: GuestError | null): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.destroy()
    const reason = cause ?? new GuestError('channel_closed', 'The guest channel was closed')
    for (const stream of [...this.#streams.values()]) stream.lose(reason)
    for (const { reject, timer } of this.#controls.values()) {
      clearTimeout(timer)
      reject(reason)
    }
    this.#controls.clear()
    this.emit('close', cause)
    if (cause !== null && this.listenerCount('error') > 0) this.emit('error', cause)
  }
}
