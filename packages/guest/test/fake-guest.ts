import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  decodeVerb,
  encodeFrame,
  encodeVerb,
  type Frame,
  FrameReader,
  frameType,
} from '../src/channel/frames.ts'

/** The guest's end of the channel, played by a script: what it got is in `frames`, answers are up to the test. */
export class FakeGuest {
  readonly socketPath: string
  readonly frames: Frame[] = []
  /** Bytes sent before the answer to hello, as an earlier session may have left them. */
  leftovers: Buffer = Buffer.alloc(0)
  answersHello = true
  onFrame: (frame: Frame) => void = () => {}
  readonly #server: Server
  readonly #folder: string
  #socket: Socket | null = null

  static async create(): Promise<FakeGuest> {
    const folder = await mkdtemp(join(tmpdir(), 'aleph-fake-guest-'))
    const guest = new FakeGuest(folder)
    await new Promise<void>((resolve) => guest.#server.listen(guest.socketPath, resolve))
    return guest
  }

  private constructor(folder: string) {
    this.#folder = folder
    this.socketPath = join(folder, 'channel.sock')
    this.#server = createServer((socket) => {
      const reader = new FrameReader()
      this.#socket = socket
      socket.on('error', () => {})
      socket.on('data', (bytes) => {
        for (const frame of reader.read(bytes)) this.#take(frame)
      })
    })
  }

  #take(frame: Frame): void {
    const { verb, fields } =
      frame.type === frameType.control ? decodeVerb(frame.payload) : { verb: '', fields: {} }
    if (verb !== 'hello') {
      this.frames.push(frame)
      this.onFrame(frame)
    } else if (this.answersHello) {
      const hello = { session: fields.session, version: '3.0', state: 'ready', features: [] }
      this.#socket?.write(this.leftovers)
      this.send(frameType.hello, 0, Buffer.from(JSON.stringify(hello)))
    }
  }

  send(type: number, stream: number, payload?: Uint8Array): void {
    this.#socket?.write(encodeFrame(type, stream, payload))
  }

  sendRaw(bytes: Uint8Array): void {
    this.#socket?.write(bytes)
  }

  event(verb: string, fields: Record<string, string>): void {
    this.send(frameType.event, 0, encodeVerb(verb, fields))
  }

  /** Reads nothing any more. */
  stopReading(): void {
    this.#socket?.pause()
  }

  /** Payload bytes received on streams. */
  get dataBytes(): number {
    return this.frames
      .filter((frame) => frame.type === frameType.data)
      .reduce((sum, frame) => sum + frame.payload.length, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
    await rm(this.#folder, { recursive: true, force: true })
  }
}
