import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deployContracts, readAlephBalance, transferAleph } from '@aleph-ts/contracts'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { devnetProfile, type NetworkProfile } from '@aleph-ts/protocol'
import { createTestClient, http, parseUnits, publicActions } from 'viem'
import { foundry } from 'viem/chains'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { patience } from '../testing/patience.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, sign, type Wallet } from '../testing/wallet.ts'

const [first, second, worker] = [newWallet(), newWallet(), newWallet()]
const [stakerOfFirst, stakerOfBoth, speaker] = [newWallet(), newWallet(), newWallet()]

let chain: LocalChain
let token: `0x${string}`
let payer: string
let folder: string
let profile: NetworkProfile
const nodes: TestNode[] = []
let core: [string, string]
let compute: string
const today = new Date().toISOString().slice(0, 10)

beforeAll(async () => {
  chain = await LocalChain.create()
  await chain.start()
  const [bank, emitter, rewarder] = chain.accounts
  const contracts = await deployContracts({ rpcUrl: chain.rpcUrl, privateKey: bank!.privateKey })
  token = contracts.token
  payer = rewarder!.address
  profile = {
    ...devnetProfile,
    addresses: {
      ...devnetProfile.addresses,
      scores: [speaker.address],
      credits: [speaker.address],
      rewardsPayer: payer,
    },
    tokens: [{ chain: 'ETH', evmChainId: 31_337, contract: token, decimals: 18, startBlock: 0 }],
    syncContract: {
      chain: 'ETH',
      evmChainId: 31_337,
      contract: contracts.sync,
      startBlock: 0,
      authorizedEmitters: [emitter!.address],
    },
  }
  await pay({
    [first.address]: '1000',
    [second.address]: '1000',
    [stakerOfFirst.address]: '6000',
    [stakerOfBoth.address]: '14000',
    [payer]: '50000',
  })
  folder = await mkdtemp(join(tmpdir(), 'aleph-rewards-'))
  await writeFile(join(folder, 'packer.key'), emitter!.privateKey)
  await writeFile(join(folder, 'rewards.key'), rewarder!.privateKey)
  await startNode({
    packer: { privateKeyFile: join(folder, 'packer.key'), seconds: 0.2, mostGweiPerGas: 150 },
  })
  await Promise.all([startNode({ rewardsKeyFile: join(folder, 'rewards.key') }), startNode({})])
  core = [await register(first, 'one'), await register(second, 'two')]
  compute = await operate(worker, 'create-resource-node', {
    details: { name: 'worker', address: 'https://worker.example.org', type: 'compute' },
  })
  await operate(first, 'link', { ref: compute })
  await operate(stakerOfFirst, 'stake-split', { ref: core[0] })
  for (const ref of core) await operate(stakerOfBoth, 'stake-split', { ref })
  await score({ [core[0]]: 0.9, [core[1]]: 0.5 }, { [compute]: 0.8 })
  await confirmed()
  await spend('type_execution', [
    { amount: 1_000_000, node_id: compute },
    { amount: 500_000, node_id: null },
  ])
  await spend('type_storage', [{ amount: 200_000 }])
  await confirmed()
}, 120_000)

afterAll(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]()
  await chain?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
})

async function startNode(config: object): Promise<void> {
  const peers = nodes[0]?.node.multiaddrs ?? []
  const node = await TestNode.start({
    profile,
    config: {
      ethereumRpc: chain.rpcUrl,
      evmRpc: { ETH: chain.rpcUrl },
      p2p: { host: '127.0.0.1', port: 0, peers, reconcileSeconds: 1 },
      ...config,
    },
  })
  nodes.push(node)
}

async function pay(amounts: Record<string, string>): Promise<void> {
  const payments = Object.entries(amounts).map(([to, aleph]) => ({ to, aleph }))
  const { privateKey } = chain.accounts[0]!
  await transferAleph({ rpcUrl: chain.rpcUrl, privateKey, token, payments })
}

async function publish(
  wallet: Wallet,
  type: string,
  content: object,
  fields: object = {},
  channel = 'TEST',
): Promise<string> {
  const envelope = sign(wallet, 'POST', { type, content, ...fields }, { channel })
  expect(await nodes[0]!.publish(envelope)).toMatchObject({ status: 200 })
  return envelope.item_hash
}

function operate(wallet: Wallet, action: string, fields: { ref?: string; details?: object } = {}) {
  const { ref, details } = fields
  return publish(
    wallet,
    'corechan-operation',
    { action, tags: [action, 'devnet'], details: details ?? {} },
    ref ? { ref } : {},
  )
}

function register(wallet: Wallet, name: string): Promise<string> {
  const multiaddress = `/dns/${name}.example.org/tcp/4025/p2p/QmNode`
  return operate(wallet, 'create-node', { details: { name, multiaddress } })
}

function score(ccn: Record<string, number>, crn: Record<string, number>): Promise<string> {
  const rows = (scores: Record<string, number>) =>
    Object.entries(scores).map(([node_id, total_score]) => ({ node_id, total_score }))
  const content = { tags: ['devnet'], scores: { ccn: rows(ccn), crn: rows(crn) } }
  return publish(speaker, 'aleph-scoring-scores', content)
}

async function spend(tag: string, credits: { amount: number; node_id?: string | null }[]): Promise<string> {
  // The clock of a development chain runs ahead when blocks follow each other fast.
  const { timestamp } = await client().getBlock()
  const end = Number(timestamp) * 1000 + 500
  const expense = {
    start_date: end - 3_600_000,
    end_date: end,
    credit_price_aleph: 0.001,
    credits: credits.map((each) => ({ address: first.address, price: '1', ...each })),
  }
  const content = { tags: ['credit_expense', tag], expense }
  return publish(speaker, 'aleph_credit_expense', content, {}, 'ALEPH_CREDIT')
}

function client() {
  const transport = http(chain.rpcUrl)
  return createTestClient({ mode: 'anvil', chain: foundry, transport, cacheTime: 0 }).extend(publicActions)
}

/** Resolves when every node has every message, and knows it to be on chain. */
async function confirmed(): Promise<void> {
  await vi.waitFor(async () => {
    const states = await Promise.all(
      nodes.map(async ({ node }) => {
        const { rows } = await node.context.pool.query<{ known: number; confirmed: number }>(
          'select count(*)::int as known, count(first_confirmed_height)::int as confirmed from messages',
        )
        return rows[0]!
      }),
    )
    for (const state of states)
      expect(state).toEqual({ known: states[0]!.known, confirmed: states[0]!.known })
  }, patience)
}

const units = (aleph: string) => parseUnits(aleph, 18)
const sum = (amounts: Record<string, string>) =>
  Object.values(amounts).reduce((total, aleph) => total + units(aleph), 0n)

describe('the rewards of a day', () => {
  test('so far are told, and are not final', async () => {
    const { status, body } = await nodes[2]!.get(`/api/v1/rewards/${today}`)
    expect({ status, closed: body.closed }).toEqual({ status: 200, closed: false })
    expect((await nodes[2]!.get('/api/v1/rewards/yesterday')).status).toBe(400)
    expect((await nodes[2]!.get('/api/v1/rewards/2090-01-01')).status).toBe(404)
  })

  test('are final once the day is over, and the same on three nodes to the last byte', async () => {
    await client().increaseTime({ seconds: 86_400 })
    await client().mine({ blocks: 1 })
    await publish(first, 'note', { text: 'the next day' })
    await confirmed()
    const answers = async () =>
      Promise.all(nodes.map(async ({ node }) => (await fetch(`${node.url}/api/v1/rewards/${today}`)).text()))
    await expect.poll(async () => JSON.parse((await answers())[2]!).closed, patience).toBe(true)
    await expect.poll(async () => new Set(await answers()).size, patience).toBe(1)
  })

  test('add up to the last unit, and go to operators and stakers', async () => {
    const { body } = await nodes[2]!.get(`/api/v1/rewards/${today}`)
    const rest = [body.unallocated, body.dev_fund, body.kept].reduce((total, each) => total + units(each), 0n)
    expect(sum(body.paid) + sum(body.slashed) + rest).toBe(units(body.total))
    const receivers = [first, second, worker, stakerOfFirst, stakerOfBoth].map(({ address }) => address)
    expect(Object.keys(body.paid).sort()).toEqual(receivers.sort())
    // A million credits at 0.001 ALEPH were spent on the worker, which keeps 60 %, besides its wage.
    const { body: explained } = await nodes[0]!.get(
      `/api/v1/rewards/${today}/${worker.address.toLowerCase()}`,
    )
    expect(explained.shares).toContainEqual({
      stream: 'credit_revenue',
      work: 'execution',
      role: 'crn',
      node: compute,
      amount: '600.000000000000000000',
      slashed: false,
    })
    const shares = explained.shares.map(({ amount }: { amount: string }) => units(amount))
    const total = shares.reduce((before: bigint, each: bigint) => before + each, 0n)
    // Each share is rounded for people.
    const difference = Number(units(explained.paid) - total)
    expect(Math.abs(difference)).toBeLessThanOrEqual(shares.length)
    // What names no node is nobody's: 95 % of half a million credits.
    expect(body.unallocated).toBe('475.000000000000000000')
  })

  test('are paid on chain once, by the network that promised them, and told about', async () => {
    const { body } = await nodes[2]!.get(`/api/v1/rewards/${today}`)
    await expect
      .poll(async () => {
        const { body: posts } = await nodes[2]!.get('/api/v0/posts.json?types=credit-rewards-distribution')
        return posts.posts[0]?.content
      }, patience)
      .toMatchObject({
        status: 'distribution',
        targets: [{ success: true, sender: payer, contract_total: String(sum(body.paid)) }],
      })
    const held = (address: string) => readAlephBalance({ rpcUrl: chain.rpcUrl, token, address })
    expect(units('50000') - units(await held(payer))).toBe(sum(body.paid))
    expect(await held(worker.address)).toBe(body.paid[worker.address].replace(/0+$/, ''))
  })
})
