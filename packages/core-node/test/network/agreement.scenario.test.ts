import { devnetProfile } from '@aleph-ts/protocol'
import { describe, expect, test, vi } from 'vitest'
import { newWallet } from '../testing/wallet.ts'
import { balancesPost, newAccounts, type Parcel, registryOf, story } from './agreement-story.ts'
import { clusterNetworks } from './cluster-network.ts'
import { PartedCluster, type PartedMember } from './parted-cluster.ts'

const messageCount = Number(process.env.ALEPH_NETWORK_MESSAGES ?? 1000)
const seed = Number(process.env.SEED ?? Date.now() % 100_000)
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

describe.for(await clusterNetworks())('nodes joined by $title', ({ title, unavailable, create }) => {
  const because = unavailable ? ` (skipped: ${unavailable})` : ''
  test.skipIf(unavailable)(
    `that were stopped, killed, emptied and parted by ${title} end with one state${because}`,
    async () => {
      await using cluster = await PartedCluster.create(await create(names), profile)
      const { wallets, balances } = newAccounts(30)
      const parcels = story(wallets, messageCount, seed)
      const next = () => shuffled(parcels.splice(0, Math.ceil(messageCount / 4)))

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
    patience.timeout + 180_000,
  )
})
