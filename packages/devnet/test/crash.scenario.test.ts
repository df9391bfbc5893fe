import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { AlephClient, EthereumAccount } from '@aleph-ts/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Devnet, guestCacheDir, silentProgress } from '../src/index.ts'

const messages = 500
const killAfter = 200
const writer = EthereumAccount.fromPrivateKey(`0x${'11'.repeat(32)}`)

let dataDir: string
let devnet: Devnet

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'aleph-crash-'))
  devnet = await Devnet.create({
    dataDir,
    coreNodes: 3,
    computeNodes: 1,
    guestCacheDir: guestCacheDir(),
    progress: silentProgress(),
  })
  await devnet.start()
})

afterAll(async () => {
  await devnet.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

test.each([
  ['a core node', () => devnet.services.get('core-1')!.pid!],
  ['another core node', () => devnet.services.get('core-3')!.pid!],
  ['the database of a core node', () => databasePid('core-2')],
  ['the chain', () => devnet.chain.chain.pid!],
  ['a compute node', () => devnet.services.get('compute-1')!.pid!],
])(
  'kill -9 of %s during a stream of messages loses no acknowledged message',
  async (_what, victim) => {
    const acknowledged = await streamMessages(async () => process.kill(victim(), 'SIGKILL'))
    expect(acknowledged.length).toBeGreaterThan(messages / 2)
    for (const [index] of devnet.coreNodes.entries()) {
      await expect.poll(() => missingOn(index, acknowledged), { timeout: 90_000, interval: 500 }).toEqual([])
    }
  },
  180_000,
)

/** Sends posts to all core nodes in turn; answers the hashes of those a node said yes to. */
async function streamMessages(kill: () => Promise<unknown>): Promise<string[]> {
  const acknowledged: string[] = []
  const clients = devnet.coreNodes.map(
    ({ ready }) => new AlephClient({ apiUrl: ready.url, account: writer, retries: 0 }),
  )
  for (let index = 0; index < messages; index++) {
    if (index === killAfter) await kill()
    const sending = clients[index % clients.length]!.publishPost(
      { postType: 'crash-test', content: { index, at: Date.now() } },
      { sync: false },
    )
    const sent = await sending.catch(() => undefined)
    if (sent) acknowledged.push(sent.itemHash)
    else await sleep(5)
  }
  return acknowledged
}

async function missingOn(index: number, hashes: string[]): Promise<string[]> {
  const client = devnet.client(index)
  const known = new Set<string>()
  for (let page = 1; ; page++) {
    const { messages: found } = await client.listMessages({
      contentTypes: ['crash-test'],
      page,
      pageSize: 500,
    })
    for (const message of found) known.add(message.item_hash)
    if (found.length < 500) break
  }
  return hashes.filter((hash) => !known.has(hash))
}

function databasePid(node: string): number {
  return Number(
    readFileSync(join(dataDir, node, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0],
  )
}
