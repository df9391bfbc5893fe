import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeVerb, encodeFrame, encodeVerb, FrameReader, frameType } from './frames.ts'

describe('FrameReader', () => {
  it('gives the same frames however the bytes are cut', () => {
    const frame = fc.record({
      type: fc.constantFrom(frameType.open, frameType.data, frameType.end),
      stream: fc.nat(),
      payload: fc.uint8Array({ maxLength: 200 }),
    })
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.integer({ min: 1, max: 40 }), (frames, step) => {
        const bytes = Buffer.concat(
          frames.map(({ type, stream, payload }) => encodeFrame(type, stream, payload)),
        )
        const reader = new FrameReader()
        const seen = []
        for (let at = 0; at < bytes.length; at += step)
          seen.push(...reader.read(bytes.subarray(at, at + step)))
        expect(
          seen.map(({ type, stream, payload }) => ({ type, stream, payload: new Uint8Array(payload) })),
        ).toEqual(frames.map((expected) => ({ ...expected, payload: new Uint8Array(expected.payload) })))
      }),
    )
  })

  it('skips padding between frames', () => {
    const bytes = Buffer.concat([Buffer.alloc(70_000), encodeFrame(frameType.end, 5)])
    expect(new FrameReader().read(bytes)).toMatchObject([{ type: frameType.end, stream: 5 }])
  })
})

describe('verbs', () => {
  it('come back as they were sent, empty values included', () => {
    const { verb, fields } = decodeVerb(encodeVerb('configure', { hostname: 'vm', 'env.EMPTY': '' }))
    expect(verb).toBe('configure')
    expect({ ...fields }).toEqual({ hostname: 'vm', 'env.EMPTY': '' })
  })
})
