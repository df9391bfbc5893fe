import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guestbookAbi, guestbookBytecode } from '@aleph-ts/contracts'
import { getAddress } from 'viem'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { stateDigests } from '../src/state/digest.ts'
import { patience } from './testing/patience.ts'
import { confirmationsOf, filesOf, SyncChain } from './testing/sync-chain.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post } from './testing/wallet.ts'

let sync: SyncChain
let packing: TestNode
let reading: TestNode
let keys: string

beforeAll(async () => {
  sync = await SyncChain.start()
  const { chain, profile } = sync
  keys = await mkdtemp(join(tmpdir(), 'aleph-packer-'))
  const privateKeyFile = join(keys, 'packer.key')
  await writeFile(privateKeyFile, chain.accounts[1]!.privateKey)
  const evmRpc = { ETH: chain.rpcUrl }
  packing = await TestNode.start({
    profile,
    config: { evmRpc, packer: { privateKeyFile, seconds: 0.2, mostGweiPerGas: 150 } },
  })
  reading = await TestNode.start({
    profile,
    config: { evmRpc },
    // The archive, and the archive alone, travels: everything else must come out of it.
    contentFetcher: filesOf(
      () => packing,
      () => reading,
    ),
  })
})
afterAll(async () => {
  await packing?.[Symbol.asyncDispose]()
  await reading?.[Symbol.asyncDispose]()
  await sync?.[Symbol.asyncDispose]()
  if (keys) await rm(keys, { recursive: true })
})

async function deployGuestbook(emitter: `0x${string}`): Promise<`0x${string}`> {
  const { client, chain } = sync
  const hash = await client.deployContract({
    account: chain.accounts[0]!.address,
    abi: guestbookAbi,
    bytecode: guestbookBytecode,
    args: [sync.contract, emitter],
  })
  return getAddress((await client.waitForTransactionReceipt({ hash })).contractAddress!)
}

/** What both nodes agree upon, once they have judged all they have; digests by table. */
async function agreedState(): Promise<object> {
  await vi.waitFor(async () => {
    const [one, other] = [packing, reading].map(({ node }) => node.context)
    expect([one!.inbox.pendingCount, other!.inbox.pendingCount]).toEqual([0, 0])
    expect(await stateDigests(one!.pool)).toEqual(await stateDigests(other!.pool))
  }, patience)
  return stateDigests(reading.node.context.pool)
}

/** How far a node has read the sync contract. */
async function height(node: TestNode): Promise<number> {
  const { rows } = await node.node.context.pool.query(
    `select block_number from chain_cursors where stream = 'sync'`,
  )
  return Number(rows[0]?.block_number ?? 0)
}

describe('the bridge to the chain', () => {
  test('packs a message once, and a node that never heard of it has it confirmed', async () => {
    const message = post(newWallet(), 'to be confirmed')
    expect((await packing.publish(message)).status).toBe(200)
    await expect.poll(() => confirmationsOf(packing, message.item_hash), patience).toHaveLength(1)
    await expect.poll(() => confirmationsOf(reading, message.item_hash), patience).toHaveLength(1)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(await sync.batches()).toHaveLength(1)
  })

  test('emits a batch again that the chain has taken back, and confirms its message anew', async () => {
    const { client } = sync
    const snapshot = await client.snapshot()
    const before = (await sync.batches()).length
    const message = post(newWallet(), 'taken back')
    await packing.publish(message)
    await expect.poll(() => confirmationsOf(reading, message.item_hash), patience).toHaveLength(1)
    await client.revert({ id: snapshot })
    await client.mine({ blocks: 3 })
    await expect.poll(() => sync.batches(), patience).toHaveLength(before + 1)
    await expect.poll(() => confirmationsOf(reading, message.item_hash), patience).toHaveLength(1)
  })

  test('makes a message of what a contract or an account says there, without any signature', async () => {
    const author = sync.chain.accounts[2]
    const content = { address: author!.address, time: 1_700_000_000, type: 'note', content: 'from the chain' }
    await sync.say(2, 'POST', JSON.stringify(content))
    await expect
      .poll(
        async () => (await reading.get(`/api/v0/posts.json?addresses=${author!.address}`)).body.posts,
        patience,
      )
      .toMatchObject([{ content: 'from the chain' }])
  })

  test.each([
    { depth: 'a few blocks', blocks: 3 },
    { depth: 'more blocks than it remembers', blocks: 150 },
  ])(
    'forgets what a contract said when the chain takes back $depth, until it is said again',
    async ({ blocks }) => {
      const { client, chain } = sync
      const name = `taken back with ${blocks}`
      const { address } = chain.accounts[3]!
      const content = { address, time: 1_700_000_000 + blocks, type: name, content: 1 }
      const say = () => sync.say(3, 'POST', JSON.stringify(content))
      const postsAt = (node: TestNode) => async () =>
        (await node.get(`/api/v0/posts.json?types=${encodeURIComponent(name)}`)).body.posts
      const before = await agreedState()
      const snapshot = await client.snapshot()
      await say()
      await client.mine({ blocks })
      for (const node of [packing, reading]) {
        await expect.poll(postsAt(node), patience).toHaveLength(1)
        await expect
          .poll(async () => (await height(node)) >= Number(await client.getBlockNumber()), patience)
          .toBe(true)
      }
      await client.revert({ id: snapshot })
      await client.mine({ blocks: 1 })
      for (const node of [packing, reading]) await expect.poll(postsAt(node), patience).toEqual([])
      await expect.poll(() => stateDigests(reading.node.context.pool), patience).toEqual(before)
      await say()
      for (const node of [packing, reading]) {
        await expect.poll(postsAt(node), patience).toMatchObject([{ confirmations: [{ chain: 'ETH' }] }])
      }
      await agreedState()
    },
  )

  test('lets a contract write messages of its own, and prove on chain what the network confirmed', async () => {
    const { client, chain } = sync
    const [, emitter, , guest] = chain.accounts
    const guestbook = await deployGuestbook(emitter!.address)
    await client.writeContract({
      account: guest!.address,
      address: guestbook,
      abi: guestbookAbi,
      functionName: 'sign',
      args: ['Say "hello"\n'],
    })
    await expect
      .poll(async () => (await reading.get(`/api/v0/posts.json?addresses=${guestbook}`)).body.posts, patience)
      .toMatchObject([{ address: guestbook, content: { guest: guest!.address, text: 'Say "hello"\n' } }])
    await expect
      .poll(async () => (await reading.get(`/api/v0/aggregates/${guestbook}.json`)).body.data, patience)
      .toEqual({ guests: { [guest!.address]: true } })

    const messages = Array.from({ length: 5 }, (_, index) => post(newWallet(), `proven ${index}`))
    await Promise.all(messages.map((message) => packing.publish(message)))
    for (const message of messages) {
      const path = `/api/v1/messages/${message.item_hash}/proof`
      await expect.poll(async () => (await reading.get(path)).status, patience).toBe(200)
      const { body } = await reading.get(path)
      const { root, proof, time } = body.proofs[0]
      const { item_hash: itemHash, chain: code, sender, type: messageType } = body.message
      const claim = { itemHash, chain: code, sender, messageType }
      const ask = (args: typeof claim) =>
        client.readContract({
          address: guestbook,
          abi: guestbookAbi,
          functionName: 'confirmedAt',
          args: [root, args, proof],
        })
      expect(await ask(claim)).toBe(BigInt(time))
      expect(await ask({ ...claim, sender: guest!.address })).toBe(0n)
      expect(
        await client.readContract({
          address: guestbook,
          abi: guestbookAbi,
          functionName: 'isContentOf',
          args: [message.item_content!, itemHash],
        }),
      ).toBe(true)
    }
    expect((await reading.get(`/api/v1/messages/${'0'.repeat(64)}/proof`)).status).toBe(404)
  })

  test('does not believe the batch of a stranger', async () => {
    const stranger = sync.chain.accounts[2]
    await sync.emit(2, JSON.stringify({ protocol: 'aleph', version: 1, content: { messages: [] } }))
    const message = post(newWallet(), 'after the stranger')
    await packing.publish(message)
    await expect.poll(() => confirmationsOf(reading, message.item_hash), patience).toHaveLength(1)
    const { rows } = await reading.node.context.pool.query(
      `select from chain_txs where publisher = $1 and protocol <> 'smart-contract'`,
      [stranger!.address],
    )
    expect(rows).toEqual([])
  })
})
