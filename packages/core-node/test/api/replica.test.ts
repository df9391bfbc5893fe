import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ReplicatedDatabase } from '../testing/replicated-database.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, post, sign } from '../testing/wallet.ts'

let databases: ReplicatedDatabase
let node: TestNode

beforeAll(async () => {
  databases = await ReplicatedDatabase.start()
  node = await TestNode.start({
    config: {
      databaseUrl: databases.primary.connectionString,
      databaseReadUrl: databases.standby.connectionString,
    },
  })
})

afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  await databases?.[Symbol.asyncDispose]()
})

const lists = ['messages', 'posts', 'aggregates']

async function listsOf(address: string): Promise<number[]> {
  const answers = lists.map((list) => node.get(`/api/v0/${list}.json?addresses=${address}`))
  return (await Promise.all(answers)).map(({ body }, index) => body[lists[index]!].length)
}

test('lists come from a standby that streams from the primary', async () => {
  const wallet = newWallet()
  await node.publish(post(wallet, 'hello'))
  await node.publish(sign(wallet, 'AGGREGATE', { key: 'profile', content: { name: 'Alice' } }))
  await databases.caughtUp()
  expect(await listsOf(wallet.address)).toEqual([2, 1, 1])
})

test('behind a standby that lags, who has just posted finds it by its hash, its address and in feeds', async () => {
  const wallet = newWallet()
  const socket = new WebSocket(`${node.node.url.replace('http', 'ws')}/api/ws0/messages?history=0`)
  await once(socket, 'open')
  const frame = once(socket, 'message')
  await databases.pauseReplay()
  try {
    const message = post(wallet, 'fresh')
    const aggregate = sign(wallet, 'AGGREGATE', { key: 'profile', content: { name: 'Bob' } })
    for (const each of [message, aggregate]) expect((await node.publish(each)).status).toBe(200)

    expect((await node.get(`/api/v0/messages/${message.item_hash}`)).body.status).toBe('processed')
    const { body } = await node.get(`/api/v0/aggregates/${wallet.address}.json`)
    expect(body.data).toEqual({ profile: { name: 'Bob' } })
    const [event] = (await frame) as [MessageEvent]
    expect(JSON.parse(String(event.data)).item_hash).toBe(message.item_hash)
    expect(await listsOf(wallet.address)).toEqual([0, 0, 0])
  } finally {
    socket.close()
    await databases.resumeReplay()
  }
  await databases.caughtUp()
  expect(await listsOf(wallet.address)).toEqual([2, 1, 1])
})

test('while the standby is away lists say when to come back, and everything else goes on', async () => {
  await databases.standby.stop()
  const message = post(newWallet(), 'meanwhile')
  expect((await node.publish(message)).status).toBe(200)
  expect((await node.get(`/api/v0/messages/${message.item_hash}`)).body.status).toBe('processed')
  const response = await fetch(`${node.node.url}/api/v0/messages.json`)
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  await databases.standby.start()
  await databases.caughtUp()
  const { body } = await node.get(`/api/v0/messages.json?hashes=${message.item_hash}`)
  expect(body.messages).toHaveLength(1)
})
