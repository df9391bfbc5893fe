import { devnetProfile, type Envelope, type NetworkProfile } from '@aleph-ts/protocol'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PipelineDatabases, PipelineNode } from './pipeline-node.ts'
import { publisher, story, summary } from './stories.ts'
import { address } from './unsigned.ts'

/** Files are never free here, so that money decides over every STORE. */
const profile: NetworkProfile = {
  ...devnetProfile,
  addresses: { ...devnetProfile.addresses, credits: [publisher], balances: [publisher] },
  limits: { ...devnetProfile.limits, freeFileBytes: 0 },
  clocks: { backdatingSeconds: 10, unconfirmedNotBefore: 1_700_000_008 },
}

let databases: PipelineDatabases
let nodes: PipelineNode[]

beforeAll(async () => {
  databases = await PipelineDatabases.start()
  nodes = [
    new PipelineNode(await databases.create('first'), profile),
    new PipelineNode(await databases.create('second'), profile),
  ]
})
afterAll(async () => {
  await databases.stop()
})

async function begin(): Promise<void> {
  for (const node of nodes) {
    await node.wipe()
    await node.fund(address(1), '0.05')
    await node.fund(address(2), '200.04')
  }
}

/** Hands messages to a node in bursts of a size, each burst in batches of another. */
async function tell(node: PipelineNode, messages: Envelope[], burst: number, batch: number): Promise<void> {
  for (let start = 0; start < messages.length; start += burst) {
    await node.take(messages.slice(start, start + burst), { batch })
  }
}

interface Telling {
  messages: Envelope[]
  shuffled: Envelope[]
  burst: number
  batch: number
  /** Seconds from a message's own time to its confirmation, for some of the messages. */
  confirmed: Map<Envelope, number>
  /** How many of the shuffled messages have arrived when the confirmations come. */
  confirmedAfter: number
}

const size = fc.integer({ min: 1, max: 30 })

const telling: fc.Arbitrary<Telling> = story.chain((messages) =>
  fc
    .record({
      messages: fc.constant(messages),
      shuffled: fc.shuffledSubarray(messages, { minLength: messages.length, maxLength: messages.length }),
      burst: size,
      batch: size,
      delays: fc.array(fc.option(fc.integer({ min: -10, max: 30 }), { freq: 1 }), { maxLength: 24 }),
      confirmedAfter: fc.nat(30),
    })
    .map(({ delays, ...telling }) => ({
      ...telling,
      confirmed: new Map(
        messages.flatMap((each, index) => (delays[index] == null ? [] : [[each, delays[index]] as const])),
      ),
    }))
    .map((telling) => ({ ...telling, [fc.toStringMethod]: () => summary(telling) })),
)

test('nodes that get the same messages in any order and in any batches have the same state', {
  timeout: 240_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(telling, async ({ messages, shuffled, burst, batch, confirmed, confirmedAfter }) => {
      await begin()
      const confirmations = [...confirmed].map(([message, delay]) => ({
        message,
        time: Math.round(message.time) + delay,
      }))
      await tell(nodes[0]!, messages, 1, 1)
      await nodes[0]!.confirm(confirmations)
      await tell(nodes[1]!, shuffled.slice(0, confirmedAfter), burst, batch)
      await nodes[1]!.confirm(confirmations)
      await tell(nodes[1]!, shuffled.slice(confirmedAfter), burst, batch)
      expect(await nodes[1]!.fates(messages)).toEqual(await nodes[0]!.fates(messages))
      expect(await nodes[1]!.digests()).toEqual(await nodes[0]!.digests())
    }),
    {
      numRuns: Number(process.env.RUNS ?? 40),
      seed: process.env.SEED ? Number(process.env.SEED) : undefined,
    },
  )
})
