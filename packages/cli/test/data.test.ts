import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeNetwork } from './fake-network.ts'
import { CliUser } from './run-cli.ts'

let user: CliUser
let network: FakeNetwork
const env: Record<string, string> = { ALEPH_PRIVATE_KEY: `0x${'55'.repeat(32)}` }

beforeEach(async () => {
  user = await CliUser.create()
  network = await FakeNetwork.create()
  env.ALEPH_NETWORK = network.url
})

afterEach(async () => {
  await user[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
})

describe('aleph file', () => {
  it('stores a file and fetches it by its hash or by its message', async () => {
    await writeFile(join(user.folder, 'photo.jpg'), 'bytes')
    const stored = await user.run(['file', 'upload', 'photo.jpg', '--ref', 'photo', '--json'], { env })
    const { item_hash, file } = stored.json<{ item_hash: string; file: { hash: string; size: number } }>()
    expect(file.size).toBe(5)
    expect(network.ofType('STORE')[0]?.content).toMatchObject({ item_hash: file.hash, ref: 'photo' })
    for (const [hash, name] of [
      [file.hash, 'by-file'],
      [item_hash, 'by-message'],
    ] as const) {
      const fetched = await user.run(['file', 'download', hash, '-o', name], { env })
      expect(fetched.code).toBe(0)
      expect(await readFile(join(user.folder, name), 'utf8')).toBe('bytes')
    }
    expect((await user.run(['file', 'download', file.hash, '-o', 'by-file'], { env })).code).toBe(8)
  })

  it('stores a folder with everything in it under one CID', async () => {
    await mkdir(join(user.folder, 'site', 'img'), { recursive: true })
    await writeFile(join(user.folder, 'site', 'index.html'), '<h1>hello</h1>')
    await writeFile(join(user.folder, 'site', 'img', 'logo.svg'), '<svg/>')
    const stored = await user.run(['file', 'upload', 'site', '--json'], { env })
    const { file } = stored.json<{ file: { hash: string; size: number } }>()
    expect(file).toMatchObject({ hash: expect.stringMatching(/^bafybei/), size: 20 })
    expect(network.ofType('STORE')[0]?.content).toMatchObject({ item_type: 'ipfs', item_hash: file.hash })
    await mkdir(join(user.folder, 'empty'))
    expect((await user.run(['file', 'upload', 'empty'], { env })).code).toBe(2)
  })

  it('leaves nothing behind when a node sends other bytes', async () => {
    const hash = 'ab'.repeat(32)
    network.files.set(hash, Buffer.from('something else'))
    const result = await user.run(['file', 'download', hash, '--json'], { env })
    expect(result.code).toBe(1)
    expect(result.json()).toMatchObject({ error: { code: 'file_hash_mismatch' } })
    await expect(readFile(join(user.folder, hash))).rejects.toThrow('ENOENT')
  })
})

describe('aleph aggregate', () => {
  it('writes fields of a key and reads them back', async () => {
    await user.run(['aggregate', 'set', 'profile', '{"name":"Ada","age":36}'], { env })
    await user.run(['aggregate', 'set', 'profile', '@-'], { env, input: '{"age":37}' })
    const got = await user.run(['aggregate', 'get', 'profile', '--json'], { env })
    expect(got.json()).toEqual({ name: 'Ada', age: 37 })
    expect((await user.run(['aggregate', 'get', 'nothing', '--json'], { env })).code).toBe(4)
  })

  it('refuses what is no JSON object', async () => {
    for (const text of ['{', '[1]', '"text"']) {
      const result = await user.run(['aggregate', 'set', 'profile', text], { env })
      expect(result.code).toBe(2)
    }
    expect(network.messages).toEqual([])
  })
})

describe('aleph message', () => {
  it('shows a message with its status, and lists messages', async () => {
    await user.run(['aggregate', 'set', 'profile', '{"name":"Ada"}', '--channel', 'my-app'], { env })
    const [message] = network.messages
    const got = await user.run(['message', 'get', message!.item_hash, '--json'], { env })
    expect(got.json()).toMatchObject({ status: 'processed', message: { channel: 'my-app' } })
    const shown = await user.run(['message', 'get', message!.item_hash], { env })
    expect(shown.stdout).toContain('"name": "Ada"')
    const listed = await user.run(['message', 'list', '--type', 'AGGREGATE', '--json'], { env })
    expect(listed.json()).toMatchObject({ total: 1, messages: [{ item_hash: message!.item_hash }] })
  })

  it('ends with code 4 and one JSON document when a message is unknown', async () => {
    const result = await user.run(['message', 'get', 'ff'.repeat(32), '--json'], { env })
    expect(result.code).toBe(4)
    expect(result.json()).toMatchObject({ error: { code: 'not_found', http_status: 404 } })
    expect(result.stderr).toBe('')
  })
})

describe('aleph network', () => {
  it('finds the devnet that runs here or above, and falls back to mainnet when it does not answer', async () => {
    await mkdir(join(user.folder, '.devnet'))
    await mkdir(join(user.folder, 'deep/down'), { recursive: true })
    const file = join(user.folder, '.devnet/network.json')
    await writeFile(file, JSON.stringify(network.file([])))
    const bare = { ALEPH_NETWORK: '' }
    const found = await user.run(['network', '--json'], { env: bare, cwd: join(user.folder, 'deep/down') })
    expect(found.json()).toMatchObject({
      name: 'devnet',
      source: file,
      reachable: true,
      core_nodes: [{ url: network.url, version: '9.9.9' }],
    })
    const away = { ...network.file([]), coreNodes: [{ url: 'http://127.0.0.1:1' }] }
    await writeFile(file, JSON.stringify(away))
    const named = await user.run(['network', '--json', '--network', 'devnet'], { env: bare })
    expect(named.json()).toMatchObject({ name: 'devnet', reachable: false })
    const list = await user.run(['account', 'list'], { env: bare })
    expect(list.stderr).toContain('Using mainnet')
  })

  it('never follows a file found by chance to another machine', async () => {
    await mkdir(join(user.folder, '.devnet'))
    const foreign = { ...network.file([]), coreNodes: [{ url: 'http://192.0.2.1:4024' }] }
    await writeFile(join(user.folder, '.devnet/network.json'), JSON.stringify(foreign))
    const list = await user.run(['account', 'list'], { env: { ALEPH_NETWORK: '' } })
    expect(list.stderr).toContain('points at other machines')
  })

  it('says what a network may be when it does not know the one asked for', async () => {
    const unknown = await user.run(['network', '--network', 'moonnet'])
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toContain('network.json')
    const away = await user.run([
      'message',
      'get',
      'ff'.repeat(32),
      '--network',
      'http://127.0.0.1:1',
      '--json',
    ])
    expect(away.code).toBe(3)
    expect(away.json()).toMatchObject({ error: { code: 'network_unreachable' } })
  })
})

describe('aleph', () => {
  it('ends at once with code 130 when it is interrupted', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    try {
      const result = await user.run(['message', 'get', 'ff'.repeat(32), '--network', url, '--json'], {
        onStart: (interrupt) => silent.once('request', interrupt),
      })
      expect(result.code).toBe(130)
      expect(result.json()).toMatchObject({ error: { code: 'interrupted' } })
    } finally {
      silent.closeAllConnections()
      silent.close()
    }
  })

  it('explains itself, with examples and exit codes', async () => {
    const help = await user.run(['--help'])
    expect(help.code).toBe(0)
    expect(help.stdout).toContain('Exit codes')
    const deploy = await user.run(['program', 'deploy', '--help'])
    expect(deploy.stdout).toContain('Examples:')
    const wrong = await user.run(['nonsense'])
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toContain("unknown command 'nonsense'")
  })
})

describe('aleph credits', () => {
  it('gives credits away by a message that the network understands', async () => {
    const to = `0x${'22'.repeat(20)}`
    const sent = await user.run(['credits', 'send', to, '1500', '--json'], { env })
    expect(sent.json()).toMatchObject({ status: 'processed', to, amount: 1500 })
    const [message] = network.ofType('POST')
    expect(message).toMatchObject({
      channel: 'ALEPH_CREDIT',
      content: {
        type: 'aleph_credit_transfer',
        content: { transfer: { credits: [{ address: to, amount: 1500 }] } },
      },
    })
    expect((await user.run(['credits', 'send', to, '0.5'], { env })).code).toBe(2)
  })

  it('shows what an address has, also when it never had any', async () => {
    const shown = await user.run(['credits', 'show', '--json'], { env })
    expect(shown.json()).toMatchObject({ credits: '0', history: [] })
  })
})
