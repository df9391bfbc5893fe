import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { EthereumAccount, programUrl } from '@aleph-ts/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  Devnet,
  guestCacheDir,
  type JobReport,
  type NetworkFile,
  runMainJob,
  silentProgress,
} from '../src/index.ts'
import { networkFilePath } from '../src/network/network-file.ts'
import { aleph } from './aleph-command.ts'

const root = join(import.meta.dirname, '../../..')
const config = { coreNodes: 3, computeNodes: 2, guestCacheDir: guestCacheDir(), progress: silentProgress() }

let dataDir: string
let devnet: Devnet
let network: NetworkFile

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'aleph-network-'))
  devnet = await Devnet.create({ ...config, dataDir })
  network = await devnet.start()
}, 400_000)

afterAll(async () => {
  await devnet.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('the main job', () => {
  let report: JobReport

  beforeAll(async () => {
    report = await runMainJob(devnet, silentProgress())
  })

  test('a program sent by a wallet that holds enough runs in a microVM and answers', () => {
    expect(report.error).toBeUndefined()
    expect(report.ok).toBe(true)
    expect(report.program).toMatchObject({ status: 200, body: expect.stringContaining('you') })
  })

  test('its six steps are reported in order, each with its time', () => {
    expect(report.steps.map((each) => each.step)).toEqual([1, 2, 3, 4, 5, 6])
    for (const { ms } of report.steps) expect(ms).toBeGreaterThanOrEqual(0)
  })

  test('it runs on a compute node that is linked to the core node it was assigned to', () => {
    const node = network.computeNodes.find((each) => each.url === report.program!.compute_node)
    expect(node?.coreNode).toBe(report.program!.core_node)
  })

  test('the same program from a wallet that holds too little is rejected for its balance', () => {
    expect(report.refused).toMatchObject({ status: 'rejected', error_code: 5 })
  })
})

describe('the examples, deployed from the command line', () => {
  test.each([
    ['hello-node', '/?name=Ada', /Ada/],
    ['hello-python', '/?name=Ada', /Ada/],
    ['static-site', '/', /<html/i],
  ])(
    '%s answers',
    async (example, path, expected) => {
      const deployed = await deploy(join(root, 'examples', example))
      const called = await aleph(dataDir, ['program', 'call', deployed.item_hash, path])
      expect(called.stdout).toMatch(expected)
    },
    180_000,
  )
})

describe('programs that cannot run say why', () => {
  test('a runtime that is none', async () => {
    const code = join(import.meta.dirname, 'programs/ok')
    const notARuntime = await aleph(dataDir, ['file', 'upload', join(code, 'index.ts'), '--json'])
    const runtime = (JSON.parse(notARuntime.stdout) as { item_hash: string }).item_hash
    const { item_hash } = await deploy(code, ['--runtime', runtime, '--entrypoint', 'index.ts'])
    const { status, body } = await call(item_hash)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(body).toMatchObject({ code: 'unknown_runtime' })
  })

  test('an archive that is broken', async () => {
    const client = devnet.client(0, testAccount())
    const { itemHash } = await client.deployProgram({
      code: new TextEncoder().encode('PK\u0003\u0004 this is no zip archive'),
      runtime: network.runtimes.node!,
      entrypoint: 'main.ts',
    })
    const { status, body } = await call(itemHash)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(body).toMatchObject({ code: 'broken_archive' })
  })

  test('a program that crashes at start, with the log of the guest', async () => {
    const { item_hash } = await deploy(join(import.meta.dirname, 'programs/crashes'))
    const { status, body } = await call(item_hash)
    expect(status).toBe(502)
    expect(body).toMatchObject({ code: 'program_failed', log: expect.stringContaining('no good start') })
  })

  test('a program that never listens, with the log of the guest', async () => {
    const { item_hash } = await deploy(join(import.meta.dirname, 'programs/never-listens'), [
      '--runtime',
      'binary',
    ])
    const { status, body } = await call(item_hash)
    expect(status).toBe(502)
    expect(body).toMatchObject({ code: 'program_not_listening', log: expect.stringContaining('thinking') })
  })

  test('a hash nobody has heard of', async () => {
    const { status } = await call('0'.repeat(64))
    expect(status).toBe(404)
  })
})

test('a guest has no way to the host: no network device, and no address answers', async () => {
  const { item_hash } = await deploy(join(import.meta.dirname, 'programs/looks-around'))
  const { status, body } = await call(item_hash, `/?port=${new URL(network.coreNodes[0]!.url).port}`)
  expect(status).toBe(200)
  expect(body).toMatchObject({ interfaces: ['lo'], reached: [] })
})

test('a program is told of messages it subscribed to, by one compute node and once', async () => {
  const wanted = JSON.stringify({ type: 'POST', content: { type: 'chat' } })
  const path = join(import.meta.dirname, 'programs/hears')
  const { item_hash } = await deploy(path, ['--on-message', wanted])
  const heardAt = async ({ url }: { url: string }) =>
    (await (await fetch(programUrl(url, item_hash, '/'))).json()) as string[]
  const heard = async () => (await Promise.all(network.computeNodes.map(heardAt))).flat()
  const post = (content: string) => devnet.client(1, testAccount()).publishPost({ postType: 'chat', content })
  expect(await heard()).toEqual([])
  // Its compute node listens from a second or two after it has the program in its plan.
  const heardEarly = async () => {
    await post('early')
    return heard()
  }
  await expect.poll(heardEarly, { timeout: 60_000, interval: 1_000 }).toContain('early')
  await post('hello')
  await expect.poll(heard, { timeout: 30_000, interval: 500 }).toContain('hello')
  expect((await heard()).filter((content) => content === 'hello')).toEqual(['hello'])
}, 240_000)

test('network.json tells where everything is, to its owner only', () => {
  const file = JSON.parse(readFileSync(networkFilePath(dataDir), 'utf8')) as NetworkFile
  expect(file).toEqual(network)
  expect(file.coreNodes).toHaveLength(3)
  expect(file.computeNodes).toHaveLength(2)
  expect(Object.keys(file.runtimes).sort()).toEqual(['binary', 'node', 'python'])
  expect(Number(file.accounts[0]!.aleph)).toBeGreaterThanOrEqual(2_000)
})

test('stopped and started again, it continues where it was', async () => {
  const { itemHash } = await devnet.client(1, testAccount()).publishPost({ postType: 'before', content: 1 })
  const pids = [...devnet.services.values()].map(({ pid }) => pid!)
  await devnet.stop()
  for (const pid of pids) expect(isAlive(pid)).toBe(false)
  expect(existsSync(networkFilePath(dataDir))).toBe(false)

  devnet = await Devnet.create({ ...config, dataDir })
  const again = await devnet.start()
  expect(again).toEqual(network)
  for (const [index] of devnet.coreNodes.entries()) {
    expect(await devnet.client(index).getMessageStatus(itemHash)).toBe('processed')
  }
})

function testAccount(): EthereumAccount {
  return EthereumAccount.fromPrivateKey(network.accounts[1]!.privateKey)
}

async function deploy(path: string, options: string[] = []): Promise<{ item_hash: string }> {
  const { stdout } = await aleph(dataDir, ['program', 'deploy', path, '--json', ...options])
  return JSON.parse(stdout) as { item_hash: string }
}

async function call(hash: string, path = '/'): Promise<{ status: number; body: unknown }> {
  const response = await fetch(programUrl(network.computeNodes[0]!.url, hash, path))
  return { status: response.status, body: await response.json() }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
