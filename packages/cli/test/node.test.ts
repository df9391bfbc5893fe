import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeNetwork } from './fake-network.ts'
import { CliUser } from './run-cli.ts'

let user: CliUser
let network: FakeNetwork
const operator: Record<string, string> = { ALEPH_PRIVATE_KEY: `0x${'55'.repeat(32)}` }
const other: Record<string, string> = { ALEPH_PRIVATE_KEY: `0x${'66'.repeat(32)}` }
const peer = '/ip4/192.0.2.1/tcp/4025/p2p/QmZkurbY2G2hWay59yiTgQNaQxHSNzKZFt2jbnwJhQcKgV'

beforeEach(async () => {
  user = await CliUser.create()
  network = await FakeNetwork.create()
  network.balance = 5_000
  for (const env of [operator, other]) env.ALEPH_NETWORK = network.url
})

afterEach(async () => {
  await user[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
})

async function node(env: Record<string, string>, ...args: string[]) {
  return user.run(['node', ...args, '--json'], { env })
}

const createCore = (env = operator) => node(env, 'create-ccn', 'mine', '--multiaddress', peer)
const createCompute = (env = other) => node(env, 'create-crn', 'worker', '--url', network.url)
const hashOf = (result: { json: <T>() => T }) => result.json<{ node: string }>().node

describe('aleph node', () => {
  it('registers a core and a compute node, links them, stakes, and takes all of it back', async () => {
    const core = hashOf(await createCore())
    const compute = hashOf(await createCompute())
    expect(await node(operator, 'link', compute)).toMatchObject({ code: 0 })
    expect(await node(other, 'stake', core)).toMatchObject({ code: 0 })
    const { nodes, resource_nodes } = (await node(operator, 'list')).json<Record<string, object[]>>()
    expect(nodes).toMatchObject([{ hash: core, resource_nodes: [compute], total_staked: 5_000 }])
    expect(resource_nodes).toMatchObject([{ hash: compute, parent: core, address: network.url }])
    expect((await user.run(['node', 'list'], { env: operator })).stdout).toMatch(/mine.*active/)
    for (const [env, ...args] of [
      [other, 'unstake', core],
      [other, 'unlink', compute],
      [other, 'drop', compute],
      [operator, 'drop', core],
    ] as const) {
      expect(await node(env, ...args)).toMatchObject({ code: 0 })
    }
    expect((await node(operator, 'list')).json()).toMatchObject({ nodes: [], resource_nodes: [] })
  })

  it('changes only what was given', async () => {
    const core = hashOf(await createCore())
    expect(await node(operator, 'amend', core, '--name', 'better', '--lock')).toMatchObject({ code: 0 })
    const { nodes } = (await node(operator, 'list')).json<{ nodes: object[] }>()
    expect(nodes).toMatchObject([{ hash: core, name: 'better', locked: true, multiaddress: peer }])
    expect(await node(operator, 'amend', core)).toMatchObject({ code: 2 })
  })

  it.each([
    ['a core node without the balance for it', 'balance_too_low', () => createCore()],
    ['a link without a core node', 'owns_no_core_node', () => node(operator, 'link', '0'.repeat(64))],
    ['a stake on nothing', 'unknown_node', () => node(operator, 'stake', '0'.repeat(64))],
  ])('sends nothing for %s', async (_what, reason, attempt) => {
    network.balance = 10
    const result = await attempt()
    expect(result.code).not.toBe(0)
    expect(result.json()).toMatchObject({ error: { code: reason } })
    expect(network.messages).toEqual([])
  })

  it('registers no compute node that does not answer as one, unless told to', async () => {
    network.computeNodeIsUp = false
    const refused = await createCompute()
    expect(refused.code).toBe(1)
    expect(refused.json()).toMatchObject({ error: { code: 'not_ready' } })
    expect(network.messages).toEqual([])
    const forced = await node(other, 'create-crn', 'worker', '--url', network.url, '--force')
    expect(forced.code).toBe(0)
  })

  it('lists the nodes of a network whose core nodes do not serve the registry', async () => {
    network.servesRegistry = false
    network.corechannel = {
      nodes: [{ hash: 'aa', name: 'one', owner: '0x1', status: 'active' }],
      resource_nodes: [
        { hash: 'bb', name: 'two', owner: '0x2', status: 'linked', parent: 'aa' },
        { hash: 'cc', name: 'three', owner: '0x2', status: 'waiting', parent: null },
      ],
    }
    const list = await node(operator, 'list', '--owner', '0x2', '--status', 'linked')
    expect(list.json()).toMatchObject({ source: 'published', nodes: [], resource_nodes: [{ hash: 'bb' }] })
  })

  it('the doctor tells what is wrong with a node, by its URL or its hash', async () => {
    const healthy = await node(other, 'doctor', network.url)
    expect(healthy).toMatchObject({ code: 0 })
    const compute = hashOf(await createCompute())
    const lonely = await node(other, 'doctor', compute)
    expect(lonely.code).toBe(1)
    const { checks } = lonely.json<{ checks: { name: string; ok: boolean }[] }>()
    expect(checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual([
      'is linked',
      'its core node is active',
      'has a score',
    ])
    expect((await node(other, 'doctor', '0'.repeat(64))).code).toBe(4)
  })
})
