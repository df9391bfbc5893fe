import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Devnet, guestCacheDir, type NetworkFile, silentProgress } from '../src/index.ts'
import { aleph } from './aleph-command.ts'

const patience = { timeout: 60_000, interval: 500 }
const peer = '/dns/new.example.org/tcp/4025/p2p/QmZkurbY2G2hWay59yiTgQNaQxHSNzKZFt2jbnwJhQcKgV'

let dataDir: string
let devnet: Devnet
let network: NetworkFile
let worker: Server
let core: string
let compute: string

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'aleph-operators-'))
  devnet = await Devnet.create({
    dataDir,
    coreNodes: 2,
    computeNodes: 1,
    guestCacheDir: guestCacheDir(),
    progress: silentProgress(),
  })
  network = await devnet.start()
  worker = createServer((request, response) => {
    const status = request.url === '/about/login' ? 401 : 200
    response.writeHead(status, { server: 'aleph-vm/1.0', 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => worker.listen(0, '127.0.0.1', resolve))
})

afterAll(async () => {
  worker?.close()
  await devnet.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
async function say(...args: string[]): Promise<any> {
  const { stdout } = await aleph(dataDir, [...args, '--json'])
  return JSON.parse(stdout)
}

test('a devnet has registered its own nodes by what operators and stakers published', async () => {
  const { source, nodes, resource_nodes } = await say('node', 'list')
  expect(source).toBe('computed')
  expect(nodes).toMatchObject([
    { name: 'core-1', status: 'active', total_staked: 10_000 },
    { name: 'core-2', status: 'active', total_staked: 10_000 },
  ])
  expect(resource_nodes).toMatchObject([
    { name: 'compute-1', status: 'linked', parent: nodes[0].hash, address: network.computeNodes[0]!.url },
  ])
})

test('its compute node passes what the doctor looks at', async () => {
  const { resource_nodes } = await say('node', 'list', '--type', 'compute')
  const { ok, checks } = await say('node', 'doctor', resource_nodes[0].hash)
  expect({ ok, checks }).toMatchObject({ ok: true })
  // Its first score is a gift; the observers have the last word at the end of their period.
  const score = await say('node', 'score', resource_nodes[0].hash)
  expect(score).toMatchObject({ score: 1, explained: false })
})

test('somebody else runs a core node and a compute node, and a third one stakes on it', async () => {
  const { port } = worker.address() as AddressInfo
  core = (await say('node', 'create-ccn', 'new', '--multiaddress', peer, '--account', 'devnet:3')).node
  const url = `http://127.0.0.1:${port}`
  compute = (await say('node', 'create-crn', 'new-worker', '--url', url, '--account', 'devnet:4')).node
  await say('node', 'link', compute, '--account', 'devnet:3')
  await say('node', 'stake', core, '--account', 'devnet:5')
  for (const index of devnet.coreNodes.keys()) {
    await expect
      .poll(() => devnet.client(index).listNodes({ q: 'new' }), patience)
      .toMatchObject({
        coreNodes: [
          {
            hash: core,
            status: 'active',
            total_staked: expect.closeTo(100_000, 6),
            resource_nodes: [compute],
          },
        ],
        computeNodes: [{ hash: compute, status: 'linked', parent: core }],
      })
  }
})

test('all core nodes come to the same registry, which the network publishes', async () => {
  await expect
    .poll(async () => {
      const lists = await Promise.all([0, 1].map((index) => devnet.client(index).listNodes()))
      return new Set(lists.map(({ digest }) => digest)).size
    }, patience)
    .toBe(1)
  for (const { url } of network.coreNodes) {
    await expect
      .poll(async () => (await fetch(`${url}/api/v1/nodes/differences`)).json(), patience)
      .toMatchObject({ divergent: false, differences: [] })
  }
})

test('its staker earns, and is told why', async () => {
  const staker = network.accounts[5]!.address
  await expect
    .poll(() => say('rewards', 'explain', staker), patience)
    .toMatchObject({
      address: staker,
      shares: [{ stream: 'wage_subsidy', role: 'staker', node: core, slashed: false }],
    })
  const { rewards } = await say('rewards', 'show')
  expect(Number(rewards[staker])).toBeGreaterThan(0)
})

test('who drops a node takes its links and stakes along', async () => {
  await say('node', 'drop', core, '--account', 'devnet:3')
  await expect
    .poll(() => devnet.client(1).listNodes({ q: 'new' }), patience)
    .toMatchObject({ coreNodes: [], computeNodes: [{ hash: compute, status: 'waiting', parent: null }] })
})
