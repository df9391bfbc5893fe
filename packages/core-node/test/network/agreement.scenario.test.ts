import { devnetProfile } from '@aleph-ts/protocol'
import { describe, expect, test, vi } from 'vitest'
import { newWallet } from '../testing/wallet.ts'
import { balancesPost, newAccounts, type Parcel, registryOf, story } from './agreement-story.ts'
import { clusterNetworks } from './cluster-network.ts'
import { PartedCluster, type PartedMember } from './parted-cluster.ts'

/** ALEPH_NETWORK_MESSAGES=10000 for the long way. */
const messageCount = Number(process.env.ALEPH_NETWORK_MESSAGES ?? 1_000)
const seed = Number(process.env.SEED ?? Date.now() % 100_000)
/** Messages that are written at about the same time are handed over in any order. */
const messagesAtOnce = 100
/** Messages on their way to members at one moment. */
const concurrency = 16
const names = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7']
const patience = { timeout: 120_000 + messageCount * 60, interval: 1_000 }
const registrar = newWallet()
const profile = {
  ...devnetProfile,
  addresses: { ...devnetProfile.addresses, corechannel: registrar.address, balances: [registrar.address] },
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((each) => ({ each, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ each }) => each)
}

function inAnyOrder(parcels: Parcel[]): Parcel[] {
  const groups = Array.from({ length: Math.ceil(parcels.length / messagesAtOnce) }, (_, index) =>
    parcels.slice(index * messagesAtOnce, (index + 1) * messagesAtOnce),
  )
  return groups.flatMap(shuffled)
}

/** Every member but the first dials one or two of those before it: all are joined, each time in another way. */
async function startCluster(cluster: PartedCluster): Promise<void> {
  for (const name of names) {
    const dials = new Set(cluster.members.length > 0 ? [pick(cluster.members), pick(cluster.members)] : [])
    await cluster.add(name, [...dials])
  }
}

/** Hands parcels to random running members until each is acknowledged by one. */
async function spread(cluster: PartedCluster, parcels: Parcel[], members = cluster.members): Promise<void> {
  const waiting = [...parcels]
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let parcel = waiting.shift(); parcel; parcel = waiting.shift()) {
        while (!(await cluster.send(pick(members), parcel))) {
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      }
    }),
  )
}

/** Resolves when members hold the same messages and none waits. */
async function settled(cluster: PartedCluster, members = cluster.members): Promise<void> {
  await vi.waitFor(async () => {
    const [first, ...others] = await cluster.tallies(members)
    expect(others).toEqual(others.map(() => first))
    expect(first).toMatch(/ 0 waiting$/)
  }, patience)
}

/** The best way to part nodes that there is here is tried at full size, others in short. */
const networks = await clusterNetworks()
const best = networks.find(({ unavailable }) => unavailable === null)

describe.for(networks)('nodes joined by $title', (network) => {
  const { unavailable, create } = network
  const count = network === best ? messageCount : Math.ceil(messageCount / 25)
  const because = unavailable ? ` (skipped: ${unavailable})` : ''
  test.skipIf(unavailable)(
    `that were stopped, killed, emptied and parted end with one state of ${count} messages${because}`,
    async () => {
      await using cluster = await PartedCluster.create(await create(names), profile)
      const { wallets, balances } = newAccounts(200)
      const parcels = story(wallets, count, seed)
      const next = () => inAnyOrder(parcels.splice(0, Math.ceil(count / 4)))

      await startCluster(cluster)
      const [stopped, killed, emptied, ...steady] = shuffled(cluster.members) as [
        PartedMember,
        PartedMember,
        PartedMember,
        ...PartedMember[],
      ]
      const urls = cluster.members.map((member) => member.found!.url)
      const opening = [registryOf(registrar, urls), balancesPost(registrar, balances)]
      await spread(
        cluster,
        opening.map((message) => ({ message, file: undefined })),
      )
      await settled(cluster)

      await spread(cluster, next())

      // What one of them alone has is gone with it: it is emptied when all have the same.
      await settled(cluster)
      await cluster.halt(emptied)
      await cluster.part(new Set([killed, stopped, pick(steady)].map(({ name }) => name)))
      await Promise.all([
        spread(cluster, next()),
        new Promise((resolve) => setTimeout(resolve, 300)).then(() => cluster.kill(killed)),
      ])

      await cluster.halt(stopped)
      await spread(cluster, next())

      await cluster.join()
      await cluster.empty(emptied)
      await Promise.all([
        spread(cluster, next()),
        cluster.start(emptied),
        cluster.start(stopped),
        cluster.start(killed),
      ])

      await vi.waitFor(async () => {
        await settled(cluster)
        const [first, ...others] = await cluster.digests()
        for (const digests of others) expect(digests).toEqual(first)
      }, patience)
    },
    3 * patience.timeout,
  )
})
