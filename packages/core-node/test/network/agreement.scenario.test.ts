import type { Envelope } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { CuttableLink } from '../testing/cuttable-link.ts'
import type { NodeProcess } from '../testing/node-process.ts'
import type { TestNode } from '../testing/test-node.ts'
import { newWallet, post, sign } from '../testing/wallet.ts'
import { CoreCluster, type Member } from './core-cluster.ts'

/** ALEPH_NETWORK_MESSAGES=10000 for the long way. */
const messageCount = Number(process.env.ALEPH_NETWORK_MESSAGES ?? 1000)
const patience = { timeout: 180_000 + messageCount * 40, interval: 500 }
const wallets = Array.from({ length: 5 }, newWallet)
const links: CuttableLink[] = []
let cluster: CoreCluster

beforeAll(async () => {
  cluster = await CoreCluster.create()
}, 60_000)

afterAll(async () => {
  for (const link of links) link.stop()
  await cluster?.stop()
}, 60_000)

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!
}

/** Messages that build on each other: posts, amends, aggregate elements, and what forgets some of them. */
function story(count: number): Envelope[] {
  const posts: Envelope[] = []
  return Array.from({ length: count }, (_, index) => {
    const wallet = wallets[index % wallets.length]!
    const own = posts.filter(({ sender }) => sender === wallet.address)
    const kind = own.length > 0 ? index % 10 : 0
    if (kind === 7) {
      return post(wallet, { text: `amended ${index}` }, { type: 'amend', ref: pick(own).item_hash })
    }
    if (kind === 8)
      return sign(wallet, 'AGGREGATE', { key: `key ${index % 3}`, content: { [index % 7]: index } })
    if (kind === 9) return sign(wallet, 'FORGET', { hashes: [pick(own).item_hash], reason: 'enough' })
    posts.push(post(wallet, { text: `number ${index}` }))
    return posts.at(-1)!
  })
}

/** Hands messages to random running members, several at a time, until each is acknowledged by one. */
async function spread(messages: Envelope[], members: Member[]): Promise<void> {
  const waiting = [...messages]
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let message = waiting.shift(); message; message = waiting.shift()) {
        while (!(await cluster.send(pick(members), message)))
          await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }),
  )
}

const addressOf = (member: Member) => (member.running as TestNode).node.multiaddrs[0]!

test(
  'nodes that were stopped, killed, emptied and cut off from each other end with one state',
  async () => {
    // Two halves, joined by two links that can be cut.
    const [a1, a2, a3] = [
      await cluster.add('a1', []),
      await cluster.add('a2', []),
      await cluster.add('a3', []),
    ]
    await cluster.run(a1)
    a2.peers.push(addressOf(a1))
    await cluster.run(a2)
    a3.peers.push(addressOf(pick([a1, a2])))
    await cluster.run(a3)
    const bridges = [await CuttableLink.to(addressOf(a1)), await CuttableLink.to(addressOf(a2))]
    links.push(...bridges.map(({ link }) => link))
    const [b1, b2, b3, b4] = [
      await cluster.add('b1', [bridges[0]!.multiaddr]),
      await cluster.add('b2', [bridges[1]!.multiaddr]),
      await cluster.add('b3', []),
      await cluster.add('b4', []),
    ]
    await cluster.run(b1)
    b2.peers.push(addressOf(b1))
    await cluster.run(b2)
    b3.peers.push(addressOf(pick([b1, b2])))
    await cluster.run(b3)
    b4.peers.push(addressOf(b1), addressOf(b2))
    await cluster.runApart(b4)

    const messages = story(messageCount)
    const next = () => messages.splice(0, Math.ceil(messageCount / 4))

    await spread(next(), cluster.members)

    for (const { link } of bridges) link.cut()
    await Promise.all([
      spread(next(), cluster.members),
      new Promise((resolve) => setTimeout(resolve, 300)).then(() => {
        const killed = b4.running as NodeProcess
        b4.running = undefined
        return killed.kill()
      }),
    ])

    await cluster.halt(a3)
    await cluster.halt(b3)
    await spread(next(), cluster.members)

    for (const { link } of bridges) link.mend()
    await cluster.empty(a3)
    await Promise.all([
      spread(next(), cluster.members),
      cluster.run(a3),
      cluster.run(b3),
      cluster.runApart(b4),
    ])

    await vi.waitFor(async () => {
      const [first, ...others] = await cluster.tallies()
      expect(others).toEqual(others.map(() => first))
      expect(first).toContain(' 0 waiting')
    }, patience)

    const [first, ...others] = await cluster.digests()
    for (const digests of others) expect(digests).toEqual(first)
  },
  patience.timeout + 180_000,
)
