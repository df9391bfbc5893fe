import { FrameReader, frameHeaderBytes, frameType } from './frames.ts'

type ProgramState = 'idle' | 'starting' | 'ready' | 'exited'

export interface Hello {
  version: string
  state: ProgramState
  features: string[]
}

const states: readonly string[] = ['idle', 'starting', 'ready', 'exited'] satisfies ProgramState[]
/** More than a guest can have had under way for an earlier host. */
const maxScannedBytes = 16 * 1024 * 1024

/**
 * Finds the guest's answer to our hello in what comes from a port that may still hold bytes, even half a
 * frame, meant for an earlier host. The session is random, so nothing before the answer can look like it.
 */
export class HelloScanner {
  readonly #marker: Buffer
  #held: Buffer = Buffer.alloc(0)
  #scanned = 0

  constructor(session: string) {
    this.#marker = Buffer.from(`{"session":"${session}"`)
  }

  /** Null until the answer is whole; then what it said, and the bytes after it. */
  scan(bytes: Buffer): { hello: Hello; rest: Buffer } | null {
    this.#scanned += bytes.length
    const all = Buffer.concat([this.#held, bytes])
    const start = all.indexOf(this.#marker) - frameHeaderBytes
    if (start < 0) {
      // Keep what may be the beginning of the answer.
      const keep = this.#scanned > maxScannedBytes ? 0 : frameHeaderBytes + this.#marker.length
      this.#held = Buffer.from(all.subarray(Math.max(0, all.length - keep)))
      return null
    }
    const [frame] = new FrameReader().read(all.subarray(start))
    if (frame === undefined || frame.type !== frameType.hello) {
      this.#held = all.subarray(start)
      return null
    }
    const rest = all.subarray(start + frameHeaderBytes + frame.payload.length)
    return { hello: parseHello(frame.payload.toString()), rest }
  }
}

function parseHello(text: string): Hello {
  let said: Record<string, unknown> = {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) said = value as Record<string, unknown>
  } catch {
    // A guest that garbles its own hello gets no features; its version stays empty.
  }
  const state = String(said.state)
  return {
    version: typeof said.version === 'string' ? said.version : '',
    state: states.includes(state) ? (state as ProgramState) : 'idle',
    features: Array.isArray(said.features)
      ? said.features.filter((feature) => typeof feature === 'string')
      : [],
  }
}
