import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { NodeProcess } from '../testing/node-process.ts'
import { patience } from '../testing/patience.ts'
import { newWallet, post, sign } from '../testing/wallet.ts'

const main = new URL('../../src/main.ts', import.meta.url).pathname
const wallet = newWallet()
let folder: string
let node: NodeProcess

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-cli-'))
  node = await NodeProcess.start(join(folder, 'first'))
}, 60_000)

afterAll(async () => {
  await node?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Runs one command as an operator does. */
async function run(args: string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH, ALEPH_CORE_DATA_DIR: join(folder, 'first'), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { out, err, code: await ended }
}

/** A message whose content is a file that only this node holds. */
async function postContentInFile(url: string): Promise<void> {
  const inline = post(wallet, 'in a file')
  const file = new FormData()
  file.append('file', new Blob([inline.item_content!]))
  await fetch(`${url}/api/v0/storage/add_file`, { method: 'POST', body: file })
  const message = { ...inline, item_type: 'storage', item_content: null }
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ message, sync: true })
  const response = await fetch(`${url}/api/v0/messages`, { method: 'POST', headers, body })
  expect(response.status).toBe(200)
}

async function countAt(url: string): Promise<number> {
  const response = await fetch(`${url}/api/v0/messages.json`)
  return ((await response.json()) as { pagination_total: number }).pagination_total
}

test('keys says who the node is, and no secret', async () => {
  const { out } = await run(['keys'])
  const secret = (await readFile(join(folder, 'first', 'operator.key'), 'utf8')).trim()
  expect(out).toMatch(/peer id +12D3KooW/)
  expect(out).toMatch(/operator +0x[0-9a-fA-F]{40}/)
  expect(out).not.toContain(secret.slice(2))
}, 60_000)

test('status tells how a running node does, and says so when none runs', async () => {
  const { out } = await run(['status', '--json', '--url', node.url])
  expect(JSON.parse(out)).toMatchObject({ url: node.url, 'waiting to be processed': 0, peers: 0 })
  const none = await run(['status', '--url', 'http://127.0.0.1:9'])
  expect(none.code).toBe(1)
  expect(none.err).toContain('No node answers at http://127.0.0.1:9')
}, 60_000)

test('what one node exports another can import, contents that are not inline included', async () => {
  const first = post(wallet, 'to be kept')
  const second = post(wallet, 'to be forgotten')
  const forget = sign(wallet, 'FORGET', { hashes: [second.item_hash], reason: 'enough' })
  for (const message of [first, second, forget]) {
    const body = JSON.stringify({ message, sync: true })
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${node.url}/api/v0/messages`, { method: 'POST', headers, body })
    expect(response.status).toBe(200)
  }
  await postContentInFile(node.url)
  const path = join(folder, 'messages.jsonl')
  const exported = await run(['export', path])
  expect(exported.err).toBe('4 messages\n')

  const other = await NodeProcess.start(join(folder, 'second'))
  try {
    const imported = await run(['import', path, '--url', other.url])
    expect(imported).toMatchObject({ code: 0, err: '4 messages taken in, 0 refused\n' })
    await vi.waitFor(async () => expect(await countAt(other.url)).toBe(await countAt(node.url)), patience)
  } finally {
    await other.stop()
  }

  await writeFile(path, 'not a message\n')
  const wrong = await run(['import', path, '--url', node.url])
  expect(wrong.code).toBe(1)
  expect(wrong.err).toContain('Line 1 is not of an export')
}, 120_000)

test('peers lists nobody where nobody was heard of', async () => {
  expect(await run(['peers', '--json'])).toMatchObject({ code: 0, out: '[]\n' })
}, 60_000)

test('doctor names what is wrong, and how to mend it', async () => {
  const healthy = await run(['doctor'], { ALEPH_CORE_HTTP_PORT: new URL(node.url).port })
  expect(healthy.code).toBe(0)
  expect(healthy.out).toMatch(/ok +database +PostgreSQL/)
  expect(healthy.out).toMatch(/ok +node +answers/)
  const ill = await run(['doctor'], {
    ALEPH_CORE_ETHEREUM_RPC: 'http://127.0.0.1:9/secret-key',
    ALEPH_CORE_P2P_PEERS: 'nonsense',
  })
  expect(ill.code).toBe(1)
  expect(ill.out).toMatch(/problem +chain ETH 1 +127.0.0.1:9 does not answer/)
  expect(ill.out).not.toContain('secret-key')
  expect(ill.out).toMatch(/problem +peer 1 +"nonsense" is no address/)
}, 60_000)

test('a setting that cannot be used ends the start with its name', async () => {
  const { code, err } = await run(['start'], { ALEPH_CORE_HTTP_PORT: 'http' })
  expect(code).toBe(1)
  expect(err).toContain('ALEPH_CORE_HTTP_PORT')
}, 60_000)
