import { GuestError } from '../guest-error.ts'

/** Frame types of the guest channel; `Padding` is a single byte that a reader skips. */
export const frameType = {
  padding: 0x00,
  hello: 0x01,
  control: 0x02,
  event: 0x03,
  open: 0x10,
  data: 0x11,
  end: 0x12,
  reset: 0x13,
  window: 0x14,
} as const

export const frameHeaderBytes = 9
export const maxPayloadBytes = 65_536
/** What a side may send on a new stream before it is given credit. */
export const initialWindowBytes = 256 * 1024

export interface Frame {
  type: number
  stream: number
  payload: Buffer
}

/** `u8 type, u32be stream, u32be length, payload`. The caller keeps the payload within `maxPayloadBytes`. */
export function encodeFrame(type: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + payload.length)
  frame.writeUInt8(type, 0)
  frame.writeUInt32BE(stream, 1)
  frame.writeUInt32BE(payload.length, 5)
  frame.set(payload, frameHeaderBytes)
  return frame
}

/** Cuts a byte stream into frames; holds at most one unfinished frame. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0)

  /** Takes the bytes in and returns every frame that is whole. Throws `channel_protocol` on an oversize frame. */
  read(bytes: Buffer): Frame[] {
    const frames: Frame[] = []
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    this.#held = Buffer.alloc(0)
    while (rest.length > 0) {
      if (rest[0] === frameType.padding) {
        rest = rest.subarray(1)
        continue
      }
      if (rest.length < frameHeaderBytes) break
      const length = rest.readUInt32BE(5)
      if (length > maxPayloadBytes)
        throw new GuestError(
          'channel_protocol',
          `A frame of ${length} bytes came; ${maxPayloadBytes} is the limit`,
        )
      const end = frameHeaderBytes + length
      if (rest.length < end) break
      frames.push({
        type: rest.readUInt8(0),
        stream: rest.readUInt32BE(1),
        payload: rest.subarray(frameHeaderBytes, end),
      })
      rest = rest.subarray(end)
    }
    this.#held = rest
    return frames
  }
}

/** Verbs with their fields travel as NUL-separated strings: verb, then key, value, key, value… */
export function encodeVerb(verb: string, fields: Record<string, string | string[]> = {}): Buffer {
  const parts = [verb]
  for (const [key, value] of Object.entries(fields))
    for (const item of Array.isArray(value) ? value : [value]) parts.push(key, item)
  const zero = parts.find((part) => part.includes('\0'))
  if (zero !== undefined)
    throw new GuestError('control_invalid', `A field of "${verb}" holds a NUL character; remove it`)
  const payload = Buffer.from(parts.join('\0'))
  if (payload.length > maxPayloadBytes)
    throw new GuestError(
      'control_invalid',
      `The fields of "${verb}" take ${payload.length} bytes; ${maxPayloadBytes} is the limit`,
    )
  return payload
}

/** The reverse of `encodeVerb`; of a key that comes twice the last value stays. */
export function decodeVerb(payload: Buffer): { verb: string; fields: Record<string, string> } {
  const [verb = '', ...parts] = payload.toString().split('\0')
  const fields: Record<string, string> = Object.create(null)
  for (let i = 0; i + 1 < parts.length; i += 2) fields[parts[i]!] = parts[i + 1]!
  return { verb, fields }
}
