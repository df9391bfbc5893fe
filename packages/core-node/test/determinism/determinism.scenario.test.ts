import { devnetProfile, type Envelope, type NetworkProfile } from '@aleph-ts/protocol'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Origin } from '../../src/inbox/inbox.ts'
import { DatabaseServer } from '../../src/testing/index.ts'
import { PipelineNode } from './pipeline-node.ts'
import { publisher, story, summary } from './stories.ts'
import { address } from './unsigned.ts'

/** Files are never free here, so that money decides over every STORE. */
const profile: NetworkProfile = {
  ...devnetProfile,
  addresses: { ...devnetProfile.addresses, credits: [publisher], balances: [publisher] },
  limits: { ...devnetProfile.limits, freeFileBytes: 0 },
  clocks: { backdatingSeconds: 10, unconfirmedNotBefore: 1_700_000_008 },
}

let databases: DatabaseServer
let nodes: PipelineNode[]

beforeAll(async () => {
  databases = await DatabaseServer.start()
  nodes = [
    new PipelineNode(await databases.create('first', { durable: false }), profile),
    new PipelineNode(await databases.create('second', { durable: false }), profile),
  ]
})
afterAll(async () => {
  await databases[Symbol.asyncDispose]()
})

async function begin(): Promise<void> {
  for (const node of nodes) {
    await node.wipe()
    await node.fund(address(1), '0.05')
    await node.fund(address(2), '1200.04')
    await node.fund(address(3), '200.04')
  }
}

type Door = Origin['door']

/** Hands messages to a node in bursts of a size, each burst through the next of some doors and in batches of a size. */
async function tell(
  node: PipelineNode,
  messages: Envelope[],
  { burst = 1, batch = 1, doors = ['gossip'] as Door[] } = {},
): Promise<void> {
  for (let start = 0; start < messages.length; start += burst) {
    const door = doors[(start / burst) % doors.length]!
    await node.take(messages.slice(start, start + burst), { batch, door })
  }
}

interface Telling {
  messages: Envelope[]
  shuffled: Envelope[]
  burst: number
  batch: number
  doors: Door[]
  /** Seconds from a message's own time to its confirmation, for some of the messages. */
  confirmed: Map<Envelope, number>
  /** How many of the shuffled messages have arrived when the confirmations come. */
  confirmedAfter: number
  /** Which of the confirmed messages reach the second node as another copy. */
  altered: boolean[]
  /** Which messages reach the second node without their content, which is to be had by its hash. */
  apart: boolean[]
}

const size = fc.integer({ min: 1, max: 30 })

const telling: fc.Arbitrary<Telling> = story.chain((messages) =>
  fc
    .record({
      messages: fc.constant(messages),
      shuffled: fc.shuffledSubarray(messages, { minLength: messages.length, maxLength: messages.length }),
      burst: size,
      batch: size,
      doors: fc.array(fc.constantFrom<Door>('api', 'gossip', 'catch-up'), { minLength: 1, maxLength: 4 }),
      delays: fc.array(fc.option(fc.integer({ min: -10, max: 30 }), { freq: 1 }), { maxLength: 24 }),
      confirmedAfter: fc.nat(30),
      altered: fc.array(fc.boolean(), { maxLength: 24 }),
      apart: fc.array(fc.boolean(), { maxLength: 24 }),
    })
    .map(({ delays, ...telling }) => ({
      ...telling,
      confirmed: new Map(
        messages.flatMap((each, index) => (delays[index] == null ? [] : [[each, delays[index]] as const])),
      ),
    }))
    .map((telling) => ({ ...telling, [fc.toStringMethod]: () => summary(telling) })),
)

/** The same message to the eyes of its signature: its channel and time are anybody's to change. */
function alteredCopy(message: Envelope): Envelope {
  return { ...message, channel: message.channel === 'TEST' ? 'ALEPH_CREDIT' : 'TEST', time: message.time + 5 }
}

function apart(message: Envelope): Envelope {
  return { ...message, item_type: 'storage', item_content: null }
}

test('nodes that get the same messages in any order, by any door, in any batches and any copies have the same state', {
  timeout: 240_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(telling, async ({ messages, confirmed, confirmedAfter, altered, ...manner }) => {
      await begin()
      nodes[1]!.offer(messages)
      // What no chain confirms keeps the channel and the time with which it came first.
      const shuffled = manner.shuffled
        .map((message, index) => (confirmed.has(message) && altered[index] ? alteredCopy(message) : message))
        .map((message, index) => (manner.apart[index] ? apart(message) : message))
      const confirmations = [...confirmed].map(([message, delay]) => ({
        message,
        time: Math.round(message.time) + delay,
      }))
      await tell(nodes[0]!, messages)
      await nodes[0]!.confirm(confirmations)
      await tell(nodes[1]!, shuffled.slice(0, confirmedAfter), manner)
      await nodes[1]!.confirm(confirmations)
      await tell(nodes[1]!, shuffled.slice(confirmedAfter), manner)
      expect(await nodes[1]!.fates(messages)).toEqual(await nodes[0]!.fates(messages))
      expect(await nodes[1]!.digests()).toEqual(await nodes[0]!.digests())
      for (const node of nodes) expect(await node.keptFigures()).toEqual(await node.figures())
    }),
    {
      numRuns: Number(process.env.RUNS ?? 40),
      seed: process.env.SEED ? Number(process.env.SEED) : undefined,
    },
  )
})

test('a node that comes after the contents of forgotten messages were erased has the same state', {
  timeout: 240_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(telling, async ({ messages, shuffled, confirmed, confirmedAfter, ...manner }) => {
      await begin()
      const confirmations = [...confirmed].map(([message, delay]) => ({
        message,
        time: Math.round(message.time) + delay,
      }))
      await tell(nodes[0]!, messages)
      await nodes[0]!.confirm(confirmations)
      await nodes[0]!.erase()
      const tombstones = await nodes[0]!.tombstones(messages)
      const erased = new Set(tombstones.map((tombstone) => tombstone.item_hash))
      const rest = shuffled.filter((message) => !erased.has(message.item_hash))
      await nodes[1]!.confirm(confirmations)
      await tell(nodes[1]!, rest.slice(0, confirmedAfter), manner)
      await nodes[1]!.takeTombstones(tombstones)
      await tell(nodes[1]!, rest.slice(confirmedAfter), manner)
      await nodes[1]!.takeTombstones(tombstones)
      expect(await nodes[1]!.fates(messages)).toEqual(await nodes[0]!.fates(messages))
      expect(await nodes[1]!.digests()).toEqual(await nodes[0]!.digests())
    }),
    {
      numRuns: Number(process.env.RUNS ?? 20),
      seed: process.env.SEED ? Number(process.env.SEED) : undefined,
    },
  )
})
