import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deployContracts, deployCredits, transferAleph } from '@aleph-ts/contracts'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import {
  type CorechannelAggregate,
  corechannelSchema,
  devnetProfile,
  type NetworkProfile,
} from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CreditBiller } from '../src/credits/credit-biller.ts'
import { patience } from './testing/patience.ts'
import { program, store } from './testing/program.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, nextTime, sign, type Wallet } from './testing/wallet.ts'

const publisher = newWallet()

let chain: LocalChain
let profile: NetworkProfile
let token: `0x${string}`
let node: TestNode
let folder: string
let publisherKeyFile: string

beforeAll(async () => {
  chain = await LocalChain.create()
  await chain.start()
  const signer = { rpcUrl: chain.rpcUrl, privateKey: chain.accounts[0]!.privateKey }
  token = (await deployContracts(signer)).token
  const { address, blockNumber } = await deployCredits(signer)
  profile = {
    ...devnetProfile,
    addresses: { ...devnetProfile.addresses, credits: [publisher.address] },
    creditSales: [
      {
        chain: 'ETH',
        evmChainId: chain.chainId,
        contract: address,
        tokenContract: token,
        token: 'ALEPH',
        decimals: 18,
        creditsPerToken: '50000',
        bonusPercent: 20,
        startBlock: blockNumber,
        finalAfterBlocks: 1,
      },
    ],
    // The bill of an hour that is not over lies ahead of the clock.
    limits: { ...devnetProfile.limits, futureSeconds: null },
  }
  folder = await mkdtemp(join(tmpdir(), 'aleph-credits-'))
  publisherKeyFile = join(folder, 'publisher.key')
  await writeFile(publisherKeyFile, `0x${Buffer.from(publisher.privateKey).toString('hex')}`)
  node = await startNode()
})
afterAll(async () => {
  await node?.node.stop()
  await chain?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
})

function startNode(): Promise<TestNode> {
  const config = { ethereumRpc: chain.rpcUrl, evmRpc: { ETH: chain.rpcUrl }, publisherKeyFile }
  return TestNode.start({ profile, dataDir: join(folder, 'node'), config })
}

async function pay(account: number, to: string, aleph: string): Promise<void> {
  const { privateKey } = chain.accounts[account]!
  await transferAleph({ rpcUrl: chain.rpcUrl, privateKey, token, payments: [{ to, aleph }] })
}

async function creditsOf(address: string): Promise<number> {
  return (await node.get(`/api/v0/addresses/${address}/balance`)).body.credit_balance
}

async function historyOf(address: string) {
  return (await node.get(`/api/v0/addresses/${address}/credit_history`)).body.credit_history
}

describe('credits', () => {
  test('are given for tokens sent to the contract, once the chain will not take the payment back', async () => {
    const [, buyer] = chain.accounts
    const { contract } = profile.creditSales[0]!
    await pay(0, buyer!.address, '100')
    await pay(1, contract, '2')
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    expect(await creditsOf(buyer!.address)).toBe(0)
    await pay(0, buyer!.address, '1')
    await expect.poll(() => creditsOf(buyer!.address), patience).toBe(120_000)
    expect(await historyOf(buyer!.address)).toMatchObject([
      { amount: 120_000, token: 'ALEPH', chain: 'ETH', payment_method: 'token_transfer' },
    ])
  })

  test('are given once for each payment, also by a node that starts again and forgot that it had', async () => {
    const [, buyer] = chain.accounts
    await node.node.context.pool.query('update credit_purchases set announced = false')
    await node.node.stop()
    node = await startNode()
    await pay(1, profile.creditSales[0]!.contract, '1')
    await pay(0, buyer!.address, '1')
    await expect.poll(() => creditsOf(buyer!.address), patience).toBe(180_000)
    await expect
      .poll(
        async () =>
          (await node.node.context.pool.query('select from credit_purchases where not announced')).rows,
        patience,
      )
      .toEqual([])
    expect(await historyOf(buyer!.address)).toHaveLength(2)
  })

  test('are spent by the hour for a machine that a node has, each hour once', async () => {
    const owner = newWallet()
    await grant(owner, 1_000_000)
    const vm = await runProgram(owner)
    const operator = newWallet()
    const registry = registryOf(operator, ['crn-1', 'crn-2'])
    const biller = () =>
      new CreditBiller({ context: node.node.context, registry: { corechannel: registry }, key: publisher })
    const now = Date.now() / 1000
    await node.node.context.pool.query('delete from credit_bills')
    await biller().billDue(now)
    await claim(operator, vm, 'crn-1')
    await claim(newWallet(), vm, 'crn-2')

    await biller().billDue(now + 2 * 3_600)
    await biller().billDue(now + 2 * 3_600 + 60)
    const bills = async () =>
      (await historyOf(owner.address)).filter((entry: { amount: number }) => entry.amount < 0)
    await expect.poll(async () => (await bills()).length, patience).toBe(2)
    const perSecond = await creditsPerSecond(vm)
    const [full] = (await bills()).sort((a: { amount: number }, b: { amount: number }) => a.amount - b.amount)
    expect(full).toMatchObject({
      amount: -Math.ceil(perSecond * 3_600),
      origin: vm,
      payment_method: 'credit_expense',
    })
    const spent = (await bills()).reduce((sum: number, { amount }: { amount: number }) => sum + amount, 0)
    expect(await creditsOf(owner.address)).toBe(1_000_000 + spent)

    await node.publish(sign(operator, 'AGGREGATE', { key: 'allocations', content: { [vm]: null } }))
    await biller().billDue(now + 3 * 3_600)
    await expect.poll(async () => (await bills()).length, patience).toBe(2)
  })

  test('are spent once for an hour that two nodes bill, of which one saw less', async () => {
    const owner = newWallet()
    await grant(owner, 1_000_000)
    const vm = await runProgram(owner)
    const operator = newWallet()
    const registry = registryOf(operator, ['crn-1'])
    const now = Math.ceil(nextTime() / 3_600) * 3_600 + 60
    const billAnew = async () => {
      await node.node.context.pool.query('delete from credit_bills')
      const biller = new CreditBiller({
        context: node.node.context,
        registry: { corechannel: registry },
        key: publisher,
      })
      await biller.billDue(now - 3_600)
      await biller.billDue(now)
    }
    await claim(operator, vm, 'crn-1')
    await billAnew()
    const bills = async () =>
      (await historyOf(owner.address)).filter((entry: { amount: number }) => entry.amount < 0)
    await expect.poll(async () => (await bills()).length, patience).toBe(1)
    const expenses = async () =>
      (await node.get('/api/v0/posts.json?types=aleph_credit_expense')).body.pagination_total
    const before = await expenses()
    await node.publish(sign(operator, 'AGGREGATE', { key: 'allocations', content: { [vm]: null } }))
    await billAnew()
    await expect.poll(expenses, patience).toBe(before + 1)
    // Which of two bills of one time counts, their hashes decide.
    expect(await bills()).toHaveLength(1)
    expect(await creditsOf(owner.address)).toBe(1_000_000 + (await bills())[0].amount)
  })

  test('are spent for a file as long as it exists', async () => {
    const owner = newWallet()
    await grant(owner, 1_000_000)
    const message = store(owner, createHash('sha256').update('a file').digest('hex'), {
      payment: { type: 'credit', chain: 'ETH' },
    })
    expect((await node.upload('a file', message)).status).toBe(200)
    const registry = registryOf(newWallet(), [])
    const now = Date.now() / 1000
    await node.node.context.pool.query('delete from credit_bills')
    const options = { context: node.node.context, registry: { corechannel: registry }, key: publisher }
    await new CreditBiller(options).billDue(now)
    await new CreditBiller(options).billDue(now + 2 * 3_600)
    await expect
      .poll(
        async () => (await historyOf(owner.address)).map((entry: { amount: number }) => entry.amount),
        patience,
      )
      .toContain(-5)
    const resource = await node.get(`/api/v0/messages/${message.item_hash}/consumed_credits`)
    expect(resource.body.consumed_credits).toBeGreaterThanOrEqual(5)
  })
})

async function grant(to: Wallet, amount: number): Promise<void> {
  const credits = [{ address: to.address, amount, price: '1', tx_hash: '0x', provider: 'TEST' }]
  const content = { type: 'aleph_credit_distribution', content: { distribution: { credits } } }
  const answer = await node.publish(sign(publisher, 'POST', content, { channel: 'ALEPH_CREDIT' }))
  expect(answer.body.message_status).toBe('processed')
}

async function runProgram(owner: Wallet): Promise<string> {
  const stored = await Promise.all(
    ['code', 'runtime'].map(async (text) => {
      const message = store(owner, createHash('sha256').update(text).digest('hex'))
      expect((await node.upload(text, message)).status).toBe(200)
      return message.item_hash
    }),
  )
  const refs = { code: stored[0]!, runtime: stored[1]! }
  const message = program(owner, refs, { payment: { type: 'credit', chain: 'ETH' } })
  expect((await node.publish(message)).body).toMatchObject({ message_status: 'processed' })
  return message.item_hash
}

async function claim(operator: Wallet, vm: string, computeNode: string): Promise<void> {
  const allocation = { node: computeNode, since: 0, epoch: 0, rank: 0, state: 'running' }
  const answer = await node.publish(
    sign(operator, 'AGGREGATE', { key: 'allocations', content: { [vm]: allocation } }),
  )
  expect(answer.body.message_status).toBe('processed')
}

async function creditsPerSecond(vm: string): Promise<number> {
  return Number((await node.get(`/api/v0/price/${vm}`)).body.cost)
}

/** One core node of the operator, with its compute nodes. */
function registryOf(operator: Wallet, computeNodes: string[]): CorechannelAggregate {
  return corechannelSchema.parse({
    nodes: [
      {
        hash: 'ccn',
        owner: operator.address,
        name: 'core',
        status: 'active',
        resource_nodes: computeNodes,
        stakers: {},
        total_staked: 0,
        time: 0,
      },
    ],
    resource_nodes: computeNodes.map((hash) => ({
      hash,
      owner: operator.address,
      name: hash,
      parent: 'ccn',
      status: 'linked',
      time: 0,
    })),
  })
}
