import { RPC } from '@libp2p/gossipsub/message'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitRpc } from './outgoing-rpcs.ts'
import { maxFrameBytes, maxMessagesPerFrame } from './payload.ts'

const topic = 'ALEPH-TEST'

/** A message as nodes with RSA keys sign it. */
function messageOf(size: number): RPC.Message {
  return {
    from: new Uint8Array(34),
    data: new Uint8Array(size),
    seqno: new Uint8Array(8),
    topic,
    signature: new Uint8Array(256),
    key: new Uint8Array(299),
  }
}

function idsOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) =>
    new TextEncoder().encode(String(index).padStart(20, '1')),
  )
}

const rpcs = fc
  .record({
    sizes: fc.array(fc.integer({ min: 0, max: 261_400 }), { maxLength: 150 }),
    heard: fc.array(fc.nat(12_000), { maxLength: 3 }),
    wanted: fc.array(fc.nat(12_000), { maxLength: 2 }),
    subscriptions: fc.nat(2),
  })
  .map(({ sizes, heard, wanted, subscriptions }) => ({
    subscriptions: Array.from({ length: subscriptions }, () => ({ subscribe: true, topic })),
    messages: sizes.map(messageOf),
    control: {
      ihave: heard.map((count) => ({ topicID: topic, messageIDs: idsOf(count) })),
      iwant: wanted.map((count) => ({ messageIDs: idsOf(count) })),
      graft: [{ topicID: topic }],
      prune: [],
      idontwant: [],
    },
  }))

test('all that is said to a peer at once comes in frames that every node reads, none lost and all in order', () => {
  fc.assert(
    fc.property(rpcs, (rpc) => {
      const frames = splitRpc(rpc) as RPC[]
      for (const frame of frames) {
        expect(RPC.encode(frame).length).toBeLessThanOrEqual(maxFrameBytes)
        expect(frame.messages.length).toBeLessThanOrEqual(maxMessagesPerFrame)
      }
      expect(frames.flatMap(({ messages }) => messages)).toEqual(rpc.messages)
      expect(frames.flatMap(({ subscriptions }) => subscriptions)).toEqual(rpc.subscriptions)
      const listed = (kind: 'ihave' | 'iwant', { control }: RPC) =>
        (control?.[kind] ?? []).flatMap(({ messageIDs }) => messageIDs).length
      for (const kind of ['ihave', 'iwant'] as const) {
        const sum = frames.reduce((total, frame) => total + listed(kind, frame), 0)
        expect(sum).toBe(listed(kind, rpc as RPC))
      }
      expect(frames.flatMap(({ control }) => control?.graft ?? [])).toEqual([{ topicID: topic }])
    }),
    { numRuns: 30 },
  )
})

test('what fits one frame stays together', () => {
  const ihave = [{ topicID: topic, messageIDs: idsOf(10) }]
  const rpc = { subscriptions: [], messages: [messageOf(1_000), messageOf(2_000)], control: { ihave } }
  expect(splitRpc(rpc)).toEqual([rpc])
})
