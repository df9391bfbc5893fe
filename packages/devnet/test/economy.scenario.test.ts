import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ComputeNodeClient, EthereumAccount, programUrl } from '@aleph-ts/sdk'
import { createTestClient, erc20Abi, getAddress, http, parseUnits, publicActions } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Devnet, guestCacheDir, type NetworkFile, silentProgress } from '../src/index.ts'
import { aleph } from './aleph-command.ts'

const patience = { timeout: 240_000, interval: 500 }
const day = new Date().toISOString().slice(0, 10)

let dataDir: string
let devnet: Devnet
let network: NetworkFile
let code: string
let held: string
let streamed: string
let credited: string

/** A network in which bills, turns and reviews come every few seconds instead of every hour. */
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'aleph-economy-'))
  devnet = await Devnet.create({
    dataDir,
    coreNodes: 3,
    computeNodes: 3,
    guestCacheDir: guestCacheDir(),
    progress: silentProgress(),
    coreEnvironment: {
      ALEPH_CORE_COMPUTE_POLL_SECONDS: '1',
      ALEPH_CORE_MOVE_PROGRAMS_AFTER_SECONDS: '3',
      ALEPH_CORE_REVIEW_SECONDS: '5',
    },
    profile: {
      placement: { turnSeconds: 5 },
      billing: { windowSeconds: 20, graceSeconds: 3 },
    },
  })
  network = await devnet.start()
  const source =
    '#!/bin/sh\nmkdir -p /tmp/www\necho -n hello >/tmp/www/index.html\nexec httpd -f -p 127.0.0.1:8080 -h /tmp/www\n'
  const stored = await client(0).uploadFile({ file: new TextEncoder().encode(source) })
  await client(0).waitForMessage(stored.itemHash)
  code = stored.itemHash
}, 400_000)

afterAll(async () => {
  await devnet?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

/** A client of a play account. */
function client(account: number) {
  const { privateKey } = network.accounts[account]!
  return devnet.client(account % 3, EthereumAccount.fromPrivateKey(privateKey))
}

async function deploy(account: number, paymentType: 'hold' | 'superfluid' | 'credit', receiver?: string) {
  const { itemHash } = await client(account).deployProgram({
    code,
    encoding: 'plain',
    entrypoint: 'run.sh',
    runtime: network.runtimes.binary!,
    persistent: true,
    paymentType,
    until: 'processed',
    ...(receiver === undefined ? {} : { paymentReceiver: receiver }),
  })
  return itemHash
}

/** What the tool says to the user of a play account. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
async function say(account: number, ...args: string[]): Promise<any> {
  const run = aleph(dataDir, [...args, '--account', `devnet:${account}`, '--json'])
  // Errors are told on standard output too.
  const { stdout } = await run.catch((error: { stdout: string }) => {
    throw new Error(error.stdout)
  })
  return JSON.parse(stdout)
}

/** Waits until a program answers where the network says it runs. */
async function answers(vm: string): Promise<string> {
  let place = ''
  await expect
    .poll(async () => {
      const allocation = await devnet.client(0).getAllocation(vm)
      if (!allocation) return 0
      place = allocation.computeNode.hash
      return (await fetch(programUrl(allocation.computeNode.url, vm))).status
    }, patience)
    .toBe(200)
  return place
}

/** Waits until a program has no place, and does not run where it did. */
async function stopped(vm: string, url: string): Promise<void> {
  await expect.poll(() => devnet.client(0).getAllocation(vm), patience).toBeNull()
  await expect
    .poll(async () => {
      const executions = await new ComputeNodeClient(url).listExecutions()
      return executions[vm]?.running ?? false
    }, patience)
    .toBe(false)
}

async function urlOf(vm: string): Promise<string> {
  return (await devnet.client(0).getAllocation(vm))!.computeNode.url
}

async function nodes() {
  return devnet.client(0).listNodes()
}

test('operators have registered and linked their nodes, and others stake on them', async () => {
  const { coreNodes, computeNodes } = await nodes()
  expect(coreNodes.map(({ status, total_staked }) => [status, total_staked])).toEqual(
    Array(3).fill(['active', 10_000]),
  )
  expect(computeNodes.map(({ status }) => status)).toEqual(Array(3).fill('linked'))
})

test('a program runs for somebody who holds enough ALEPH', async () => {
  held = await deploy(0, 'hold')
  await answers(held)
}, 300_000)

test('a program runs for somebody who pays by the second, from when on the streams flow', async () => {
  const heldAt = (await devnet.client(0).getAllocation(held))!.computeNode.hash
  const chosen = (await nodes()).computeNodes.find(({ hash }) => hash !== heldAt)!
  streamed = await deploy(1, 'superfluid', chosen.stream_reward)
  await expect
    .poll(async () => {
      const url = `${network.coreNodes[0]!.url}/api/v0/allocation/${streamed}`
      return (await fetch(url)).status
    }, patience)
    .toBe(404)
  const opened = await say(1, 'payment', 'stream', 'open', streamed)
  expect(opened.receivers).toEqual({
    operator: chosen.stream_reward,
    community: devnet.chain.chain.accounts[0]!.address,
  })
  expect(await answers(streamed)).toBe(chosen.hash)
  const { streams } = await say(1, 'payment', 'stream', 'list')
  expect(streams).toMatchObject([{ item_hash: streamed, flowing_per_hour: opened.flowing_per_hour }])
  expect(streams[0].flowing_per_hour).toEqual(streams[0].needed_per_hour)
  expect((await say(1, 'payment', 'list')).stream.resources).toMatchObject([{ itemHash: streamed }])
}, 300_000)

test('a program runs for somebody who bought credits for a day', async () => {
  const { address } = network.accounts[2]!
  // With the bonus; a day of the program is 1,320,000.
  expect(await say(2, 'payment', 'buy', '11.003')).toMatchObject({ token: 'ALEPH', credits: '1320360' })
  await expect.poll(async () => (await client(2).getBalance(address)).credits, patience).toBe('1320360')
  credited = await deploy(2, 'credit')
  await answers(credited)
  expect((await say(2, 'payment', 'balance')).days_of_credits).toBeLessThanOrEqual(1)
}, 300_000)

test('credits are spent while it runs; when they are too few it stops, and every credit is accounted for', async () => {
  const { address } = network.accounts[2]!
  const url = await urlOf(credited)
  await stopped(credited, url)
  expect(await client(2).getMessageStatus(credited)).toBe('removing')
  await expect
    .poll(async () => {
      const history = await client(2).listCreditHistory(address, { pageSize: 100 })
      const { credits } = await client(2).getBalance(address)
      return history.reduce((sum, { amount }) => sum + Number(amount), 0) - Number(credits)
    }, patience)
    .toBe(0)
  const { history } = await say(2, 'payment', 'history')
  const bills = (history as Record<string, unknown>[]).filter(
    (entry) => entry.payment_method === 'credit_expense',
  )
  expect(bills.length).toBeGreaterThan(0)
  const leases = bills.map(({ origin_ref, tx_hash }) => `${origin_ref} ${tx_hash}`)
  expect(new Set(leases).size).toBe(leases.length)
}, 400_000)

test('a program stops with its stream', async () => {
  const url = await urlOf(streamed)
  expect(await say(1, 'payment', 'stream', 'close', streamed)).toMatchObject({
    flowing_per_hour: { operator: '0', community: '0' },
  })
  await stopped(streamed, url)
  const history = await fetch(`${network.coreNodes[0]!.url}/scheduler/api/v1/vms/${streamed}/history`)
  expect(((await history.json()) as { items: object[] }).items[0]).toMatchObject({ action: 'unscheduled' })
}, 300_000)

test('when a compute node dies, its program starts on another one', async () => {
  const before = await answers(held)
  const { name } = (await nodes()).computeNodes.find(({ hash }) => hash === before)!
  await devnet.stopComputeNode(name)
  await expect
    .poll(async () => {
      const allocation = await devnet.client(0).getAllocation(held)
      return allocation !== null && allocation.computeNode.hash !== before
    }, patience)
    .toBe(true)
  expect(await answers(held)).not.toBe(before)
}, 400_000)

test('the rewards of the day are the same on three core nodes, and are paid to the last unit', async () => {
  await confirmed()
  const chain = chainClient()
  const supplyBefore = await totalHeld()
  await chain.increaseTime({ seconds: 86_400 })
  await chain.mine({ blocks: 1 })
  await client(0).publishPost({ postType: 'note', content: { text: 'the next day' } })
  await confirmed()
  const texts = () =>
    Promise.all(
      network.coreNodes.map(async ({ url }) => (await fetch(`${url}/api/v1/rewards/${day}`)).text()),
    )
  await expect.poll(async () => JSON.parse((await texts())[2]!).closed, patience).toBe(true)
  await expect.poll(async () => new Set(await texts()).size, patience).toBe(1)
  const rewards = JSON.parse((await texts())[0]!)
  const rest = [rewards.unallocated, rewards.dev_fund, rewards.kept].map(units)
  expect(sum(rewards.paid) + sum(rewards.slashed) + rest.reduce((a, b) => a + b)).toBe(units(rewards.total))
  const operators = (await nodes()).coreNodes.map(({ owner }) => owner)
  const explained = await Promise.all(operators.map((owner) => client(0).explainRewards(day, owner)))
  const streamsOfIncome = explained.flatMap(({ shares }) => shares.map(({ stream }) => stream))
  expect(new Set(streamsOfIncome)).toEqual(new Set(['wage_subsidy', 'credit_revenue']))

  const posts = `${network.coreNodes[2]!.url}/api/v0/posts.json?types=credit-rewards-distribution`
  await expect
    .poll(async () => {
      const body = (await (await fetch(posts)).json()) as { posts: { content: unknown }[] }
      return body.posts[0]?.content
    }, patience)
    .toMatchObject({
      status: 'distribution',
      targets: [{ success: true, contract_total: String(sum(rewards.paid)) }],
    })
  for (const [address, aleph] of Object.entries<string>(rewards.paid)) {
    expect(await gainOf(address, supplyBefore.holders)).toBe(units(aleph))
  }
  const supplyAfter = await totalHeld()
  expect(supplyAfter.total).toBe(supplyBefore.total)
  expect(supplyAfter.total).toBe(await supply())
}, 400_000)

/** Resolves when every core node knows all of its messages to be on chain. */
async function confirmed(): Promise<void> {
  await expect
    .poll(async () => {
      const unconfirmed = await Promise.all(
        network.coreNodes.map(async ({ url }) => {
          const types = 'msgTypes=PROGRAM,STORE,POST,AGGREGATE,FORGET'
          const list = await fetch(`${url}/api/v0/messages.json?${types}&pagination=200`)
          const { messages } = (await list.json()) as { messages: { confirmed: boolean; time: number }[] }
          const old = Date.now() / 1000 - 20
          return messages.filter((message) => !message.confirmed && message.time < old).length
        }),
      )
      return unconfirmed.reduce((a, b) => a + b)
    }, patience)
    .toBe(0)
}

function chainClient() {
  const transport = http(network.chain.rpc)
  return createTestClient({ mode: 'anvil', transport, cacheTime: 0 }).extend(publicActions)
}

const units = (aleph: string) => parseUnits(aleph, 18)
const sum = (amounts: Record<string, string>) =>
  Object.values(amounts).reduce((total, aleph) => total + units(aleph), 0n)
const token = () => ({ address: getAddress(network.chain.contracts.token!), abi: erc20Abi })

/** What everybody who ever had ALEPH has now. */
async function totalHeld(): Promise<{ total: bigint; holders: Map<string, bigint> }> {
  const chain = chainClient()
  const transfers = await chain.getContractEvents({ ...token(), eventName: 'Transfer', fromBlock: 0n })
  const holders = new Map<string, bigint>()
  for (const { args } of transfers) {
    holders.set(args.from!, (holders.get(args.from!) ?? 0n) - args.value!)
    holders.set(args.to!, (holders.get(args.to!) ?? 0n) + args.value!)
  }
  for (const [address, balance] of holders) {
    if (BigInt(address) === 0n) continue
    expect(
      await chain.readContract({ ...token(), functionName: 'balanceOf', args: [getAddress(address)] }),
    ).toBe(balance)
  }
  const total = [...holders].reduce((all, [address, held]) => (BigInt(address) === 0n ? all : all + held), 0n)
  return { total, holders }
}

async function gainOf(address: string, before: Map<string, bigint>): Promise<bigint> {
  const balance = await chainClient().readContract({
    ...token(),
    functionName: 'balanceOf',
    args: [getAddress(address)],
  })
  return balance - (before.get(getAddress(address)) ?? 0n)
}

function supply(): Promise<bigint> {
  return chainClient().readContract({ ...token(), functionName: 'totalSupply' })
}
