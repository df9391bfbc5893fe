import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { vmHostLabel } from '@aleph-ts/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fromBuffer } from 'yauzl'
import { FakeNetwork } from './fake-network.ts'
import { CliUser } from './run-cli.ts'

let user: CliUser
let network: FakeNetwork

const rich = {
  address: '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
  privateKey: '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
  aleph: '2000',
}
const poor = {
  address: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  privateKey: '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d',
  aleph: '1',
}

/** A folder in which a devnet runs, with a program in it. */
beforeEach(async () => {
  user = await CliUser.create()
  network = await FakeNetwork.create()
  await mkdir(join(user.folder, '.devnet'))
  await writeFile(join(user.folder, '.devnet/network.json'), JSON.stringify(network.file([rich, poor])))
  await mkdir(join(user.folder, 'hello/lib'), { recursive: true })
  await writeFile(join(user.folder, 'hello/index.ts'), 'export default () => new Response("hi")')
  await writeFile(join(user.folder, 'hello/lib/name.ts'), 'export const name = "hi"')
  await writeFile(join(user.folder, 'hello/.env'), 'SECRET=1')
  await writeFile(join(user.folder, 'hello/notes.log'), 'log')
  await writeFile(join(user.folder, 'hello/.alephignore'), '*.log\n')
})

afterEach(async () => {
  await user[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
})

interface Deployed {
  item_hash: string
  program: { url: string; urls: string[] }
  code: { item_hash: string; file_hash: string }
}

async function deploy(...options: string[]): Promise<Deployed> {
  const result = await user.run(['program', 'deploy', 'hello', '--json', ...options])
  expect(result.stdout + result.stderr).toContain('processed')
  return result.json<Deployed>()
}

describe('aleph program deploy', () => {
  it('puts a folder on the running devnet with its first funded account, and tells where it answers', async () => {
    const image = 'ab'.repeat(32)
    const deployed = await deploy(
      ...['--memory', '512', '--var', 'GREETING=a=b', '--persistent'],
      ...['--volume', 'data:/data:64', '--volume', `library:/library:128:${image}`],
      ...['--on-message', '{"type":"POST","content":{"type":"chat"}}', '--on-message', '{"type":"STORE"}'],
    )
    const [program] = network.ofType('PROGRAM')
    expect(deployed).toMatchObject({
      status: 'processed',
      item_hash: program!.item_hash,
      sender: rich.address,
      network: 'devnet',
      program: { runtime: 'node', entrypoint: 'index.ts', compute_node: { hash: 'nn', url: network.url } },
      price: { cost: '200.000000000000000000', payment_type: 'hold' },
    })
    const label = `http://${vmHostLabel(deployed.item_hash)}.localhost:${new URL(network.url).port}/`
    expect(deployed.program.urls).toEqual([`${network.url}/vm/${deployed.item_hash}/`, label])
    expect(program!.content).toMatchObject({
      metadata: { name: 'hello' },
      variables: { GREETING: 'a=b' },
      on: {
        http: true,
        persistent: true,
        message: [{ type: 'POST', content: { type: 'chat' } }, { type: 'STORE' }],
      },
      volumes: [
        { name: 'data', mount: '/data', persistence: 'host', size_mib: 64 },
        { name: 'library', mount: '/library', size_mib: 128, parent: { ref: image, use_latest: true } },
      ],
      resources: { memory: 512 },
      runtime: { ref: '0a'.repeat(32) },
      code: { ref: deployed.code.item_hash, encoding: 'zip', entrypoint: 'index.ts' },
    })
    const zip = network.files.get(deployed.code.file_hash)!
    expect(await entriesOf(zip)).toEqual(['index.ts', 'lib/name.ts'])
  })

  it('packs the same folder into the same bytes, whenever and in whatever time zone', async () => {
    const first = await deploy()
    await writeFile(join(user.folder, 'hello/index.ts'), 'export default () => new Response("hi")')
    const again = await user.run(['program', 'deploy', 'hello', '--json'], { env: { TZ: 'Asia/Tokyo' } })
    expect(again.json<Deployed>().code.file_hash).toBe(first.code.file_hash)
  })

  it('shows people the price, their balance and the address of the program', async () => {
    const result = await user.run(['program', 'deploy', 'hello'])
    expect(result.code).toBe(0)
    expect(result.stderr).toContain('200 ALEPH')
    expect(result.stderr).toContain('1000 ALEPH')
    expect(result.stdout).toContain(`${network.url}/vm/`)
  })

  it('sends nothing when the balance is too low', async () => {
    network.balance = 10
    const result = await user.run(['program', 'deploy', 'hello', '--account', 'devnet:1', '--json'])
    expect(result.code).toBe(6)
    expect(result.json()).toMatchObject({ error: { code: 'insufficient_balance' } })
    expect(network.messages).toEqual([])
  })

  it('says in one line what is wrong with a path, an entrypoint, a runtime or an option', async () => {
    await mkdir(join(user.folder, 'odd'))
    await writeFile(join(user.folder, 'odd/data.bin'), 'x')
    const cases: [string[], RegExp][] = [
      [['nowhere'], /no file or folder .*nowhere/],
      [['odd'], /not clear how/],
      [['hello', '--entrypoint', 'missing.ts'], /missing\.ts is not among the files/],
      [['hello', '--runtime', 'ruby'], /No runtime "ruby"/],
      [['hello', '--memory', 'lots'], /whole number/],
      [['hello', '--var', 'novalue'], /NAME=value/],
      [['hello', '--on-message', 'POST'], /JSON object/],
    ]
    for (const [args, words] of cases) {
      const result = await user.run(['program', 'deploy', ...args])
      expect(result.code).toBe(2)
      expect(result.stderr).toMatch(words)
      expect(result.stderr.trim().split('\n').length).toBeLessThanOrEqual(2)
    }
    expect(network.messages).toEqual([])
  })
})

describe('aleph program', () => {
  it('calls a program with method, headers and body, and hands its answer through', async () => {
    const { item_hash: hash } = await deploy()
    const get = await user.run(['program', 'call', hash, '/a?b=c%2Fd'])
    expect(get).toMatchObject({ code: 0, stdout: 'GET /a?b=c%2Fd ' })
    const post = await user.run(['program', 'call', hash, '/a', '-d', '@-', '--json'], { input: 'ping' })
    expect(post.json()).toMatchObject({ status: 200, body: 'POST /a ping' })
    const missing = await user.run(['program', 'call', hash, '/missing'])
    expect(missing.code).toBe(0)
    expect(missing.stderr).toContain('404')
    expect((await user.run(['program', 'call', hash, '/missing', '--fail'])).code).toBe(1)
    expect((await user.run(['program', 'call', 'ff'.repeat(32)])).code).toBe(4)
  })

  it('lists, logs and deletes what was deployed', async () => {
    const { item_hash: hash, code } = await deploy()
    const listed = await user.run(['program', 'list', '--json'])
    expect(listed.json()).toMatchObject({
      owner: rich.address,
      programs: [{ item_hash: hash, name: 'hello', persistent: false, memory_mib: 256 }],
    })
    expect((await user.run(['program', 'logs', hash])).stdout).toBe('listening\n')
    const deleted = await user.run(['program', 'delete', hash, '--json'])
    expect(deleted.json()).toMatchObject({
      program: hash,
      code: { item_hash: code.item_hash, forgotten: true },
    })
    expect(network.ofType('FORGET').map(({ content }) => content.hashes)).toEqual([[hash], [code.item_hash]])
  })
})

function entriesOf(zip: Buffer): Promise<string[]> {
  return new Promise((resolve, reject) => {
    fromBuffer(zip, { lazyEntries: false }, (error, file) => {
      if (error) return reject(error)
      const names: string[] = []
      file.on('entry', ({ fileName }) => names.push(fileName))
      file.on('end', () => resolve(names))
    })
  })
}
