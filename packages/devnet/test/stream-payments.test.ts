import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ComputeNode, configFromEnvironment } from '@aleph-ts/compute-node'
import { FakeCoreNode, FakeHypervisor } from '@aleph-ts/compute-node/testing'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { deploySuperfluid } from '@aleph-ts/contracts/superfluid'
import { requiredStreams } from '@aleph-ts/protocol'
import { keyProvider, PaymentStreams } from '@aleph-ts/sdk/streams'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

const cost = '0.000015277777777777'
const rates = requiredStreams([{ cost, sharesWithCommunity: true }])
const nodeHash = 'ab'.repeat(32)

let chain: LocalChain
let core: FakeCoreNode
let node: ComputeNode
let dataDir: string
let url: string
let streams: PaymentStreams
let payer: { address: string; privateKey: Uint8Array }
let receivers: { operator: string; community: string }
let config: ReturnType<typeof configFromEnvironment>
const hypervisor = new FakeHypervisor()

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'aleph-stream-payments-'))
  chain = await LocalChain.create()
  await chain.start()
  const [rich, operator, community] = chain.accounts.map(({ address }) => address)
  const { rpcUrl } = chain
  const { privateKey } = chain.accounts[0]!
  const { superToken, forwarder } = await deploySuperfluid({ rpcUrl, privateKey })
  const network = { chain: 'AVAX' as const, evmChainId: chain.chainId, superToken, forwarder }
  payer = { address: rich!, privateKey: Buffer.from(privateKey.slice(2), 'hex') }
  receivers = { operator: operator!, community: community! }
  streams = new PaymentStreams({ network, provider: keyProvider({ rpcUrl, privateKey }), payer: rich! })
  core = await FakeCoreNode.start()
  core.intercept = (request, response) => {
    if (!request.url?.startsWith('/api/v0/price/')) return false
    response.end(JSON.stringify({ cost, payment_type: 'superfluid' }))
    return true
  }
  const profile = join(dataDir, 'profile.json')
  writeFileSync(profile, JSON.stringify({ extends: 'devnet', streams: [network] }))
  config = configFromEnvironment({
    ALEPH_VM_DATA_DIR: join(dataDir, 'node'),
    ALEPH_VM_SUPERVISOR_PORT: '0',
    ALEPH_VM_API_SERVERS: core.url,
    ALEPH_VM_HYPERVISOR: 'fake',
    ALEPH_VM_LOG_LEVEL: 'silent',
    ALEPH_VM_PROFILE: profile,
    ALEPH_VM_NODE_HASH: nodeHash,
    ALEPH_VM_PAYMENT_RECEIVER_ADDRESS: operator!,
    ALEPH_VM_EVM_RPC_AVAX: rpcUrl,
    ALEPH_VM_PAYMENT_MONITOR_INTERVAL: '0.3',
  })
  const { settings } = config.profile.addresses
  const share = { community_wallet_address: community, community_wallet_timestamp: 1 }
  core.aggregates.set(`${settings}/settings`, share)
  await startNode()
})

beforeEach(async () => {
  await streams.set(receivers.operator, 0n)
  await streams.set(receivers.community, 0n)
  const running = async () => Object.values(await executions()).filter((each) => each.running)
  await expect.poll(running).toEqual([])
})

afterAll(async () => {
  await node?.stop(true)
  await core?.[Symbol.asyncDispose]()
  await chain?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function startNode(): Promise<void> {
  await node?.stop()
  node = await ComputeNode.create(config, { hypervisor })
  url = (await node.start()).url
}

let published = 0

function publish(payment: Record<string, unknown> = {}): string {
  published += 1
  const content = {
    time: 1_800_000_000 + published,
    allow_amend: false,
    environment: { internet: true, hypervisor: 'qemu' },
    resources: { vcpus: 1, memory: 256, seconds: 30 },
    payment: { chain: 'AVAX', type: 'superfluid', receiver: receivers.operator, ...payment },
    requirements: { node: { node_hash: nodeHash } },
    rootfs: {
      parent: { ref: core.store(Buffer.alloc(1024 * 1024)), use_latest: false },
      persistence: 'host',
      size_mib: 16,
    },
    volumes: [],
  }
  return core.publish('INSTANCE', content, payer)
}

async function notify(instance: string): Promise<[number, { error?: string }]> {
  const headers = { 'content-type': 'application/json' }
  const init = { method: 'POST', headers, body: JSON.stringify({ instance }) }
  const response = await fetch(`${url}/control/allocation/notify`, init)
  return [response.status, (await response.json()) as { error?: string }]
}

interface Execution {
  running: boolean
  allocation: { state: string; error: { code: string; message: string } | null } | null
}

async function executions(): Promise<Record<string, Execution>> {
  const list = await (await fetch(`${url}/v2/about/executions/list`)).json()
  return list as Record<string, Execution>
}

async function execution(hash: string): Promise<Execution | undefined> {
  return (await executions())[hash]
}

describe('a VM that is paid by a stream', () => {
  test('is refused until the stream flows, and then runs, also after a restart of the node', async () => {
    const hash = publish()
    expect(await notify(hash)).toEqual([402, expect.objectContaining({ code: 'payment_required' })])
    await streams.set(receivers.operator, rates.operator)
    const [status, { error }] = await notify(hash)
    expect([status, error]).toEqual([402, expect.stringContaining('to the community')])
    await streams.set(receivers.community, rates.community)
    expect((await notify(hash))[0]).toBe(200)
    await startNode()
    expect((await execution(hash))?.running).toBe(true)
  })

  test('ends with the reason when its stream is closed', async () => {
    await streams.add(rates, receivers)
    const hash = publish()
    expect((await notify(hash))[0]).toBe(200)
    await streams.remove(rates, receivers)
    await expect.poll(async () => (await execution(hash))?.running).toBe(false)
    expect((await execution(hash))?.allocation).toMatchObject({
      state: 'ended',
      error: { code: 'payment_required', message: expect.stringContaining('on AVAX') },
    })
  })

  test('shares the stream with others of its payer, of which the newest ends first', async () => {
    const [older, newer] = [publish(), publish()]
    await streams.add(rates, receivers)
    expect((await notify(older))[0]).toBe(200)
    expect((await notify(newer))[0]).toBe(402)
    await streams.add(rates, receivers)
    expect((await notify(newer))[0]).toBe(200)
    await streams.remove(rates, receivers)
    await expect.poll(async () => (await execution(newer))?.running).toBe(false)
    expect((await execution(older))?.running).toBe(true)
  })
})

test('a stream to somebody else or on another chain is refused', async () => {
  const other = await notify(publish({ receiver: receivers.community }))
  expect(other).toEqual([400, expect.objectContaining({ error: '400: Message is not for this instance' })])
  expect((await notify(publish({ chain: 'BASE' })))[0]).toBe(400)
})

test('the node says where streams must go to, and on which chain', async () => {
  const { payment } = (await (await fetch(`${url}/status/config`)).json()) as Record<string, unknown>
  expect(payment).toMatchObject({
    PAYMENT_RECEIVER_ADDRESS: receivers.operator,
    AVAILABLE_PAYMENTS: { AVAX: { chain_id: chain.chainId, active: true } },
  })
})

test('a VM that is paid by a stream runs on while the chain cannot be read', async () => {
  await streams.add(rates, receivers)
  const hash = publish()
  expect((await notify(hash))[0]).toBe(200)
  await chain.stop()
  const asked = core.requests.length
  // Several passes, each of which asks for the price.
  const prices = () => core.requests.slice(asked).filter((path) => path.includes('/price/')).length
  await expect.poll(prices).toBeGreaterThan(3)
  expect((await execution(hash))?.running).toBe(true)
})
