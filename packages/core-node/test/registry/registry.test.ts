import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deployContracts, transferAleph } from '@aleph-ts/contracts'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { devnetProfile, type NetworkProfile } from '@aleph-ts/protocol'
import { createTestClient, http } from 'viem'
import { foundry } from 'viem/chains'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { patience } from '../testing/patience.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, post, sign, type Wallet } from '../testing/wallet.ts'

const operator = newWallet()
const other = newWallet()
const staker = newWallet()
const poor = newWallet()

let chain: LocalChain
let token: `0x${string}`
let folder: string
let profile: NetworkProfile
/** Publishes the registry and packs messages onto the chain. */
let publisher: TestNode
let node: TestNode

beforeAll(async () => {
  chain = await LocalChain.create()
  await chain.start()
  const [bank, emitter] = chain.accounts
  const contracts = await deployContracts({ rpcUrl: chain.rpcUrl, privateKey: bank!.privateKey })
  token = contracts.token
  const speaker = newWallet()
  profile = {
    ...devnetProfile,
    addresses: { ...devnetProfile.addresses, corechannel: speaker.address, scores: [speaker.address] },
    tokens: [{ chain: 'ETH', evmChainId: 31_337, contract: token, decimals: 18, startBlock: 0 }],
    syncContract: {
      chain: 'ETH',
      evmChainId: 31_337,
      contract: contracts.sync,
      startBlock: 0,
      authorizedEmitters: [emitter!.address],
    },
    registry: { ...devnetProfile.registry, nodeActivation: 500 },
  }
  folder = await mkdtemp(join(tmpdir(), 'aleph-registry-'))
  await writeFile(join(folder, 'packer.key'), emitter!.privateKey)
  await writeFile(join(folder, 'publisher.key'), Buffer.from(speaker.privateKey).toString('hex'))
  await pay({ [operator.address]: '1000', [other.address]: '1000', [staker.address]: '600' })
  publisher = await TestNode.start({
    profile,
    config: {
      ethereumRpc: chain.rpcUrl,
      evmRpc: { ETH: chain.rpcUrl },
      publisherKeyFile: join(folder, 'publisher.key'),
      packer: { privateKeyFile: join(folder, 'packer.key'), seconds: 0.2, mostGweiPerGas: 150 },
    },
  })
  node = await TestNode.start({
    profile,
    config: {
      ethereumRpc: chain.rpcUrl,
      evmRpc: { ETH: chain.rpcUrl },
      p2p: { host: '127.0.0.1', port: 0, peers: publisher.node.multiaddrs, reconcileSeconds: 1 },
    },
  })
})

afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  await publisher?.[Symbol.asyncDispose]()
  await chain?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
})

async function pay(amounts: Record<string, string>): Promise<void> {
  const payments = Object.entries(amounts).map(([to, aleph]) => ({ to, aleph }))
  await transferAleph({
    rpcUrl: chain.rpcUrl,
    privateKey: chain.accounts[0]!.privateKey,
    token,
    payments,
  })
}

/** Sends a registry post; its hash is the node's when it creates one. */
async function operate(
  wallet: Wallet,
  action: string,
  fields: { ref?: string; details?: Record<string, unknown> } = {},
): Promise<string> {
  const { ref, details } = fields
  const content = { action, tags: [action, 'devnet'], ...(details && { details }) }
  const message = post(wallet, content, { type: 'corechan-operation', ...(ref && { ref }) })
  expect(await node.publish(message)).toMatchObject({ status: 200 })
  return message.item_hash
}

const nodesOf = async (at: TestNode, query = '') => (await at.get(`/api/v1/nodes${query}`)).body
const ignoredOf = async (hash: string) => (await node.get(`/api/v1/nodes/ignored?node=${hash}`)).body.ignored

describe('the registry of nodes', () => {
  let core: string
  let compute: string

  test('an operator who keeps enough registers a core node and links a compute node to it', async () => {
    core = await operate(operator, 'create-node', {
      details: { name: 'first', multiaddress: '/ip4/192.0.2.1/tcp/4025/p2p/QmFirst' },
    })
    compute = await operate(other, 'create-resource-node', {
      details: { name: 'worker', address: 'https://worker.example.org', type: 'compute' },
    })
    await operate(operator, 'link', { ref: compute })
    for (const each of [node, publisher]) {
      await expect
        .poll(() => nodesOf(each), patience)
        .toMatchObject({
          source: 'computed',
          nodes: [{ hash: core, owner: operator.address, status: 'waiting', resource_nodes: [compute] }],
          resource_nodes: [{ hash: compute, owner: other.address, status: 'linked', parent: core }],
        })
    }
  })

  test('enough stake of others makes it active, with the balance the chain tells', async () => {
    await operate(staker, 'stake-split', { ref: core })
    await expect
      .poll(async () => (await nodesOf(node)).nodes[0], patience)
      .toMatchObject({ status: 'active', total_staked: 600, stakers: { [staker.address]: 600 } })
  })

  test('what somebody may not do is ignored, with the reason', async () => {
    const attempts: [string, Promise<string>][] = [
      ['balance_too_low', operate(poor, 'create-node', { details: { name: 'poor' } })],
      ['owns_core_node', operate(operator, 'create-node', { details: { name: 'second' } })],
      ['owns_no_core_node', operate(poor, 'link', { ref: compute })],
      ['already_linked', operate(operator, 'link', { ref: compute })],
      ['not_owner', operate(poor, 'drop-node', { ref: core })],
      ['balance_too_low', operate(poor, 'stake-split', { ref: core })],
      ['already_staking', operate(staker, 'stake-split', { ref: core })],
      ['malformed', operate(poor, 'conquer', { ref: core })],
    ]
    for (const [reason, attempt] of attempts) {
      const hash = await attempt
      await expect.poll(() => ignoredOf(hash), patience).toMatchObject([{ item_hash: hash, reason }])
    }
    expect((await nodesOf(node)).nodes).toMatchObject([{ hash: core, resource_nodes: [compute] }])
  })

  test('scores of somebody whom nobody asked are ignored', async () => {
    const scores = { ccn: [{ node_id: core, total_score: 1 }], crn: [] }
    const forged = post(poor, { tags: ['devnet'], scores }, { type: 'aleph-scoring-scores' })
    await node.publish(forged)
    await expect.poll(() => ignoredOf(forged.item_hash), patience).toMatchObject([{ reason: 'not_believed' }])
    expect((await nodesOf(node)).nodes[0].score).toBe(0)
  })

  test('the publisher publishes it, and nobody finds a difference', async () => {
    const { addresses } = profile
    await expect
      .poll(async () => {
        const { body } = await node.get(`/api/v0/aggregates/${addresses.corechannel}.json?keys=corechannel`)
        return body.data?.corechannel
      }, patience)
      .toMatchObject({ nodes: [{ hash: core, status: 'active' }], resource_nodes: [{ hash: compute }] })
    await expect
      .poll(() => node.get('/api/v1/nodes/differences'), patience)
      .toMatchObject({ body: { divergent: false, differences: [] } })
  })

  test('confirmed on chain, it is the same on both nodes to the last byte', async () => {
    await expect
      .poll(async () => {
        const { rows } = await node.node.context.pool.query(
          `select from messages where content_type = 'corechan-operation' and first_confirmed_height is null`,
        )
        return rows.length
      }, patience)
      .toBe(0)
    await expect
      .poll(async () => [(await nodesOf(node)).digest], patience)
      .toEqual([(await nodesOf(publisher)).digest])
  })

  test('an unchanged registry costs nothing, and filters find nodes', async () => {
    const url = `${node.node.url}/api/v1/nodes`
    const etag = (await fetch(url)).headers.get('etag')!
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304)
    expect(await nodesOf(node, `?owner=${other.address.toLowerCase()}`)).toMatchObject({
      nodes: [],
      resource_nodes: [{ hash: compute }],
    })
    expect((await nodesOf(node, '?q=WORKER&type=compute')).resource_nodes).toHaveLength(1)
    expect((await nodesOf(node, '?status=waiting')).nodes).toEqual([])
    expect(await node.get(`/api/v1/nodes/${compute}`)).toMatchObject({
      status: 200,
      body: { type: 'compute', node: { name: 'worker' } },
    })
    expect((await node.get(`/api/v1/nodes/${'0'.repeat(64)}`)).status).toBe(404)
  })

  test('who forgets an operation takes it back', async () => {
    const extra = await operate(other, 'create-resource-node', {
      details: { type: 'compute', name: 'brief' },
    })
    await expect.poll(async () => (await nodesOf(node, '?q=brief')).resource_nodes.length, patience).toBe(1)
    await node.publish(sign(other, 'FORGET', { hashes: [extra], reason: 'no more' }))
    await expect.poll(async () => (await nodesOf(node, '?q=brief')).resource_nodes.length, patience).toBe(0)
  })

  test('a stake follows the balance; when the chain takes a transfer back, so does the registry', async () => {
    const client = createTestClient({ mode: 'anvil', chain: foundry, transport: http(chain.rpcUrl) })
    const snapshot = await client.snapshot()
    await pay({ [staker.address]: '150' })
    await expect.poll(async () => (await nodesOf(node)).nodes[0].total_staked, patience).toBe(750)
    await client.revert({ id: snapshot })
    await client.mine({ blocks: 5 })
    await expect.poll(async () => (await nodesOf(node)).nodes[0].total_staked, patience).toBe(600)
  })
})
