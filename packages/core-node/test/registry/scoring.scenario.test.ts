import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { devnetProfile, evmAddress, type NetworkProfile } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { patience } from '../testing/patience.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, sign, type Wallet } from '../testing/wallet.ts'

const [registrar, scorer, firstOperator, secondOperator] = [
  newWallet(),
  newWallet(),
  newWallet(),
  newWallet(),
]
const hashes = { core: 'c1'.repeat(32), compute: 'd1'.repeat(32), gone: 'e1'.repeat(32) }

let folder: string
let worker: Server
let nodes: TestNode[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-scoring-'))
  worker = createServer((_request, response) => {
    response.writeHead(401, { server: 'aleph-vm/1.2.3' }).end()
  })
  await new Promise<void>((resolve) => worker.listen(0, '127.0.0.1', resolve))
  const profile: NetworkProfile = {
    ...devnetProfile,
    addresses: {
      ...devnetProfile.addresses,
      corechannel: registrar.address,
      scores: [scorer.address],
      observers: [firstOperator.address, secondOperator.address],
    },
    scoring: { ...devnetProfile.scoring, measureSeconds: 1, periodSeconds: 4, graceSeconds: 1 },
  }
  const start = async (operator: Wallet, peers: string[], config: object = {}) => {
    const privateKeyFile = await keyFile(operator)
    const p2p = { host: '127.0.0.1', port: 0, peers, reconcileSeconds: 1 }
    return TestNode.start({ profile, config: { p2p, privateKeyFile, ...config } })
  }
  const first = await start(firstOperator, [], { publisherKeyFile: await keyFile(scorer) })
  nodes = [first, await start(secondOperator, first.node.multiaddrs)]
  const { port } = worker.address() as AddressInfo
  const corechannel = {
    nodes: [{ hash: hashes.core, owner: firstOperator.address, status: 'active', address: first.node.url }],
    resource_nodes: [
      {
        hash: hashes.compute,
        owner: registrar.address,
        status: 'linked',
        parent: hashes.core,
        address: `http://127.0.0.1:${port}`,
      },
      {
        hash: hashes.gone,
        owner: registrar.address,
        status: 'waiting',
        parent: null,
        address: 'http://127.0.0.1:1',
      },
    ],
  }
  const published = sign(registrar, 'AGGREGATE', { key: 'corechannel', content: corechannel })
  expect(await first.publish(published)).toMatchObject({ status: 200 })
}, 60_000)

afterAll(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]()
  worker.close()
  await rm(folder, { recursive: true, force: true })
})

async function keyFile({ privateKey }: Wallet): Promise<string> {
  const file = join(folder, `${evmAddress(privateKey)}.key`)
  await writeFile(file, Buffer.from(privateKey).toString('hex'))
  return file
}

const explained = async (hash: string) => (await nodes[1]!.get(`/api/v1/nodes/${hash}/score`)).body

describe('scores', () => {
  test('come from what several core nodes measure, and every core node can compute them again', async () => {
    for (const hash of [hashes.core, hashes.compute]) {
      await expect
        .poll(() => explained(hash), patience)
        .toMatchObject({
          explained: true,
          computed: { version: 1 },
          observers: [{ observer: expect.any(String) }, { observer: expect.any(String) }],
        })
    }
    const { computed, observers } = await explained(hashes.core)
    expect(computed.total_score).toBeGreaterThan(0.5)
    const factors = observers[0].factors.map(({ name }: { name: string }) => name)
    expect(factors).toContain('aggregate_latency_score_p25')
  })

  test('are nothing for a node that does not answer', async () => {
    await expect
      .poll(() => explained(hashes.gone), patience)
      .toMatchObject({ explained: true, computed: { total_score: 0, version: 0 } })
  })

  test('that nobody measured are found out', async () => {
    const from = new Date((Math.floor(Date.now() / 4000) * 4 + 4) * 1000)
    const to = new Date(from.getTime() + 4_000)
    const text = (date: Date) => date.toISOString().slice(0, 19)
    const content = {
      tags: ['mainnet'],
      period: { from_date: text(from), to_date: text(to) },
      scores: { ccn: [], crn: [{ node_id: hashes.gone, total_score: 1, decentralization: 1 }] },
    }
    const time = Date.now() / 1000 + 200
    const forged = sign(scorer, 'POST', { type: 'aleph-scoring-scores', content, time }, { time })
    expect(await nodes[1]!.publish(forged)).toMatchObject({ status: 200 })
    expect(await explained(hashes.gone)).toMatchObject({ post: forged.item_hash, explained: false })
  })

  test('of a stranger are not looked at, and its measurements are not kept', async () => {
    const stranger = newWallet()
    const { post: before } = await explained(hashes.core)
    const time = Date.now() / 1000 + 250
    const content = { tags: ['mainnet'], scores: { ccn: [], crn: [] } }
    await nodes[1]!.publish(sign(stranger, 'POST', { type: 'aleph-scoring-scores', content, time }, { time }))
    expect((await explained(hashes.core)).post).toBe(before)
    const metrics = { ccn: [{ node_id: 'stranger', measured_at: 1, base_latency: 1 }], crn: [] }
    const type = 'aleph-network-metrics'
    await nodes[1]!.publish(
      sign(stranger, 'POST', { type, content: { metrics } }, { channel: 'aleph-scoring' }),
    )
    expect((await nodes[1]!.get('/api/v0/core/stranger/metrics?start_date=1')).status).toBe(404)
    expect((await nodes[1]!.get(`/api/v0/core/${hashes.core}/metrics`)).status).toBe(200)
  })
})
