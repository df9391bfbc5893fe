import { randomBytes } from 'node:crypto'
import { devnetProfile, type NetworkProfile, sha256Hex } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { patience } from '../testing/patience.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, post, sign } from '../testing/wallet.ts'
import { ComputeNodeStub } from './compute-node-stub.ts'

const registrar = newWallet()
const user = newWallet()
const profile: NetworkProfile = {
  ...devnetProfile,
  addresses: { ...devnetProfile.addresses, corechannel: registrar.address },
}
const nodes: TestNode[] = []
const computeNodes: ComputeNodeStub[] = []

/** Three core nodes, two of them with a compute node each, and a registry that says so. */
beforeAll(async () => {
  await startCoreNode([])
  await startCoreNode(nodes[0]!.node.multiaddrs)
  await startCoreNode(nodes[0]!.node.multiaddrs)
  for (const { node } of nodes.slice(0, 2)) computeNodes.push(await ComputeNodeStub.start([node.address]))
  const corechannel = {
    nodes: nodes.map(({ node }, index) => ({
      hash: sha256Hex(`core ${index}`),
      owner: node.address,
      status: 'active',
      multiaddress: node.multiaddrs[0],
      address: node.url,
      resource_nodes: computeNodes[index] ? [sha256Hex(`compute ${index}`)] : [],
    })),
    resource_nodes: computeNodes.map(({ url }, index) => ({
      hash: sha256Hex(`compute ${index}`),
      owner: registrar.address,
      status: 'linked',
      parent: sha256Hex(`core ${index}`),
      address: url,
    })),
  }
  const registry = sign(registrar, 'AGGREGATE', { key: 'corechannel', content: corechannel })
  await nodes[0]!.publish(registry)
  await processedEverywhere(registry.item_hash)
})

afterAll(async () => {
  for (const node of nodes.splice(0)) await node[Symbol.asyncDispose]()
  for (const computeNode of computeNodes.splice(0)) computeNode.stop()
})

async function startCoreNode(peers: string[]): Promise<TestNode> {
  const node = await TestNode.start({ profile, config: { p2p: { host: '127.0.0.1', port: 0, peers } } })
  nodes.push(node)
  await node.fund(user.address, '100000')
  return node
}

async function processedEverywhere(itemHash: string): Promise<void> {
  await vi.waitFor(async () => {
    for (const node of nodes) {
      expect((await node.get(`/api/v0/messages/${itemHash}/status`)).body).toMatchObject({
        status: 'processed',
      })
    }
  }, patience)
}

/** Uploads a file with its STORE message to one node; returns the message's hash. */
async function store(node: TestNode, file: Uint8Array): Promise<string> {
  const message = sign(user, 'STORE', { item_type: 'storage', item_hash: sha256Hex(file) })
  expect(await node.upload(file, message)).toMatchObject({ status: 200 })
  return message.item_hash
}

async function publishProgram(node: TestNode, persistent: boolean): Promise<string> {
  const ref = await store(node, randomBytes(1000))
  await processedEverywhere(ref)
  const message = sign(user, 'PROGRAM', {
    type: 'vm-function',
    allow_amend: false,
    code: { encoding: 'squashfs', entrypoint: 'main:app', ref, use_latest: false },
    runtime: { ref, use_latest: false, comment: '' },
    on: { http: true, persistent },
    environment: { reproducible: false, internet: false, aleph_api: false, shared_cache: false },
    resources: { vcpus: 1, memory: 128, seconds: 30 },
    volumes: [],
  })
  expect((await node.publish(message)).body).toMatchObject({ message_status: 'processed' })
  return message.item_hash
}

test('a message sent to any core node is processed on all of them', async () => {
  const messages = nodes.flatMap(() => [post(user, 'one'), post(user, 'two')])
  await Promise.all(messages.map((message, index) => nodes[index % nodes.length]!.publish(message)))
  for (const message of messages) await processedEverywhere(message.item_hash)
})

test('a file uploaded to one core node can be downloaded from every one', async () => {
  const file = randomBytes(400_000)
  await processedEverywhere(await store(nodes[2]!, file))
  for (const { node } of nodes) {
    const response = await fetch(`${node.url}/api/v0/storage/raw/${sha256Hex(file)}`)
    expect(Buffer.from(await response.arrayBuffer()).equals(file)).toBe(true)
  }
})

test('a program is assigned to one compute node, which is told so, and every core node says the same', async () => {
  const programs = [await publishProgram(nodes[0]!, true), await publishProgram(nodes[2]!, false)]
  for (const [index, program] of programs.entries()) {
    const list = index === 0 ? 'persistent_vms' : 'on_demand_vms'
    await vi.waitFor(() => {
      expect(computeNodes.filter(({ plans }) => plans.at(-1)?.[list].includes(program))).toHaveLength(1)
    }, patience)
    const position = computeNodes.findIndex(({ plans }) => plans.at(-1)![list].includes(program))
    await vi.waitFor(async () => {
      for (const node of nodes) {
        expect(await node.get(`/api/v0/allocation/${program}`)).toMatchObject({
          status: 200,
          body: {
            vm_hash: program,
            core_node: sha256Hex(`core ${position}`),
            node: { node_id: sha256Hex(`compute ${position}`), url: computeNodes[position]!.url },
          },
        })
        const { plan } = (await node.get('/api/v0/plan')).body
        expect(plan[sha256Hex(`compute ${position}`)][list]).toContain(program)
      }
    }, patience)
  }
  expect(computeNodes.flatMap(({ problems }) => problems)).toEqual([])
  expect((await nodes[0]!.get('/api/v0/nodes')).body.nodes).toHaveLength(2)
})

test('a forgotten program leaves the plan of its compute node', async () => {
  const program = await publishProgram(nodes[1]!, true)
  const holds = ({ plans }: ComputeNodeStub) => plans.at(-1)?.persistent_vms.includes(program) ?? false
  await vi.waitFor(() => expect(computeNodes.filter(holds)).toHaveLength(1), patience)
  const forget = sign(user, 'FORGET', { hashes: [program], reason: 'done' })
  await nodes[0]!.publish(forget)
  await vi.waitFor(() => expect(computeNodes.filter(holds)).toHaveLength(0), patience)
  await vi.waitFor(async () => {
    for (const node of nodes) expect((await node.get(`/api/v0/allocation/${program}`)).status).toBe(404)
  }, patience)
})

test('a core node that joins later gets every message and file, and knows every assignment', async () => {
  const program = await publishProgram(nodes[0]!, true)
  const file = randomBytes(2000)
  await processedEverywhere(await store(nodes[0]!, file))
  await nodes[0]!.settled()
  const newcomer = await startCoreNode(nodes[0]!.node.multiaddrs)
  await vi.waitFor(async () => {
    const [own, other] = [await processedHashes(newcomer), await processedHashes(nodes[0]!)]
    expect(own).toEqual(other)
    expect(await newcomer.node.context.fileStore.has(sha256Hex(file))).toBe(true)
    expect((await newcomer.get(`/api/v0/allocation/${program}`)).status).toBe(200)
  }, patience)
})

async function processedHashes({ node }: TestNode): Promise<string[]> {
  const { rows } = await node.context.pool.query<{ item_hash: string }>(
    'select item_hash from messages order by item_hash',
  )
  return rows.map((row) => row.item_hash)
}
