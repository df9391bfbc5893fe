import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuthenticatedAlephHttpClient } from '@aleph-sdk/client'
import { importAccountFromPrivateKey } from '@aleph-sdk/ethereum'
import { getMessagesSocket, ItemType, MessageType } from '@aleph-sdk/message'
import { newAccount as newSolanaAccount } from '@aleph-sdk/solana'
import { defaultPricing, devnetProfile } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Devnet, guestCacheDir, silentProgress } from '../../src/index.ts'

const channel = 'INTEROP'
const inTime = { timeout: 20_000, interval: 100 }

let dataDir: string
let devnet: Devnet
let client: AuthenticatedAlephHttpClient
let url: string

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'aleph-interop-'))
  const config = { coreNodes: 1, computeNodes: 0, guestCacheDir: guestCacheDir(), progress: silentProgress() }
  devnet = await Devnet.create({ ...config, dataDir })
  const network = await devnet.start()
  url = network.coreNodes[0]!.url
  client = new AuthenticatedAlephHttpClient(importAccountFromPrivateKey(network.accounts[0]!.privateKey), url)
}, 400_000)

afterAll(async () => {
  await devnet?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

const owner = () => client.account.address

function publish(postType: string, content: object, more: object = {}) {
  return client.createPost({ postType, content, channel, sync: true, ...more })
}

function store(text: string) {
  return client.createStore({ fileObject: Buffer.from(text), channel, sync: true })
}

describe('the official TypeScript SDK', () => {
  test('publishes posts, amends them and reads them back', async () => {
    const { item_hash: hash } = await publish('note', { body: 'first' })
    await publish('amend', { body: 'second' }, { ref: hash })
    const { posts } = await client.getPosts({ types: ['note'], addresses: [owner()] })
    expect(posts[0]).toMatchObject({ original_item_hash: hash, content: { body: 'second' } })
    expect(await client.getPost({ types: ['note'], hashes: [hash] })).toMatchObject({
      content: { body: 'second' },
    })
  })

  test('keeps long content outside of the message', async () => {
    const body = 'x'.repeat(60_000)
    const { item_hash: hash, item_type } = await publish('long', { body })
    expect(item_type).toBe(ItemType.storage)
    expect(await client.getPost({ types: ['long'], hashes: [hash] })).toMatchObject({ content: { body } })
  })

  test('writes and reads aggregates', async () => {
    await client.createAggregate({ key: 'profile', content: { name: 'Ada' }, channel, sync: true })
    await client.createAggregate({ key: 'profile', content: { age: 36 }, channel, sync: true })
    expect(await client.fetchAggregate(owner(), 'profile')).toEqual({ name: 'Ada', age: 36 })
    expect(await client.fetchAggregates(owner(), ['profile'])).toEqual({ profile: { name: 'Ada', age: 36 } })
  })

  test('finds the prices, settings and images of the network where tools look for them', async () => {
    const { settings } = devnetProfile.addresses
    const policy = await client.fetchAggregates(settings, ['pricing', 'settings', 'vm-images'])
    expect(policy).toMatchObject({
      pricing: defaultPricing,
      settings: { compatible_gpus: expect.any(Array) },
      'vm-images': { runtimes: { python: { hash: devnet.network.runtimes.python } } },
    })
  })

  test('stores a file and downloads it, byte for byte', async () => {
    // In Node it makes form text of what it is given, so this is text.
    const bytes = Buffer.from('Grüße, one line of text')
    const { content } = await client.createStore({ fileObject: bytes, channel, sync: true })
    expect(Buffer.from(await client.downloadFile(content.item_hash))).toEqual(bytes)
  })

  test('stores a file in IPFS, and pins what is there already', async () => {
    const bytes = Buffer.from('found by its CID')
    const ipfs = { channel, storageEngine: ItemType.ipfs, sync: true } as const
    const { content } = await client.createStore({ fileObject: bytes, ...ipfs })
    expect(content).toMatchObject({ item_type: ItemType.ipfs })
    expect(content.item_hash).toMatch(/^Qm/)
    expect(Buffer.from(await client.downloadFile(content.item_hash))).toEqual(bytes)
    const pinned = await client.createStore({ fileHash: content.item_hash, ...ipfs })
    expect(await client.getMessage(pinned.item_hash)).toMatchObject({ item_hash: pinned.item_hash })
  })

  test('keeps long content in IPFS', async () => {
    const body = 'y'.repeat(60_000)
    const more = { storageEngine: ItemType.ipfs }
    const { item_hash: hash, item_type } = await publish('long-ipfs', { body }, more)
    expect(item_type).toBe(ItemType.ipfs)
    expect(await client.getPost({ types: ['long-ipfs'], hashes: [hash] })).toMatchObject({
      content: { body },
    })
  })

  test('lists messages, and tells what became of one', async () => {
    const { item_hash: hash } = await publish('listed', { n: 1 })
    const { messages } = await client.getMessages({ addresses: [owner()], messageTypes: [MessageType.post] })
    expect(messages.map((message) => message.item_hash)).toContain(hash)
    expect(await client.getMessage(hash)).toMatchObject({ item_hash: hash, sender: owner() })
  })

  test('sends programs and instances, and asks what they cost', async () => {
    const { item_hash: image } = await store('an image')
    const payment = { chain: 'ETH', type: 'hold' } as never
    const program = await client.createProgram({
      channel,
      programRef: image,
      entrypoint: 'main:app',
      runtime: image,
      payment,
      sync: true,
    } as never)
    expect(await client.programClient.getCost(program.item_hash)).toMatchObject({ payment_type: 'hold' })
    const rootfs = { parent: { ref: image, use_latest: false }, persistence: 'host', size_mib: 20_480 }
    const resources = { vcpus: 1, memory: 2048 }
    const machine = { channel, rootfs, resources, authorized_keys: ['ssh-ed25519 AAAA'], payment }
    const instance = await client.createInstance({ ...machine, sync: true } as never)
    const price = { cost: '1000.000000000000000000' }
    expect(await client.instanceClient.getCost(instance.item_hash)).toMatchObject(price)
    const estimate = { account: client.account, ...machine } as never
    expect(await client.instanceClient.getEstimatedCost(estimate)).toMatchObject(price)
  })

  test('forgets', async () => {
    const { item_hash: hash } = await publish('regretted', { n: 1 })
    await client.forget({ hashes: [hash], channel, sync: true })
    await expect(client.getMessage(hash)).rejects.toThrow(/forgotten/i)
  })

  test('hears of messages as they are processed', async () => {
    // The methods of its clients know the production network only.
    const socket = getMessagesSocket({ apiServer: url.replace('http', 'ws'), addresses: [owner()] })
    try {
      await vi.waitFor(() => expect((socket as { getIsOpen(): boolean }).getIsOpen()).toBe(true), inTime)
      const { item_hash: hash } = await publish('watched', { n: 1 })
      const heard = () => JSON.stringify((socket as { getData(): unknown }).getData())
      await vi.waitFor(() => expect(heard()).toContain(hash), inTime)
    } finally {
      socket.closeSocket()
    }
  })

  test('speaks for Solana accounts too', async () => {
    const { account } = newSolanaAccount()
    const solana = new AuthenticatedAlephHttpClient(account, url)
    const { item_hash: hash } = await solana.createPost({
      postType: 'note',
      content: { n: 1 },
      channel,
      sync: true,
    })
    expect(await solana.getMessage(hash)).toMatchObject({ sender: account.address, chain: 'SOL' })
  })
})
