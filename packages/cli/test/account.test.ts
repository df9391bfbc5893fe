import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeNetwork } from './fake-network.ts'
import { CliUser } from './run-cli.ts'

let user: CliUser
let network: FakeNetwork

beforeEach(async () => {
  user = await CliUser.create()
  network = await FakeNetwork.create()
})

afterEach(async () => {
  await user[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
})

const key = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'
const address = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
const phrase = 'test test test test test test test test test test test junk'

describe('aleph account', () => {
  it('keeps a key encrypted, in a file only its owner can read, and signs with it', async () => {
    const env = { ALEPH_PASSPHRASE: 'correct horse' }
    const created = await user.run(['account', 'create', 'main', '--json'], { env })
    expect(created.code).toBe(0)
    const account = created.json<{ address: string; file: string }>()
    expect(account).toMatchObject({ name: 'main', chain: 'ETH', encrypted: true, default: true })
    expect((await stat(account.file)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(account.file, 'utf8'))).not.toHaveProperty('privateKey')

    const set = ['aggregate', 'set', 'profile', '{"name":"Ada"}', '--network', network.url, '--json']
    expect((await user.run(set, { env })).code).toBe(0)
    expect(network.ofType('AGGREGATE')[0]?.sender).toBe(account.address)

    const wrong = await user.run(set, { env: { ALEPH_PASSPHRASE: 'wrong' } })
    expect(wrong.code).toBe(7)
    expect(wrong.json()).toMatchObject({ error: { code: 'wrong_passphrase' } })
  })

  it('refuses a key file that others can read, and says how to close it', async () => {
    const created = await user.run(['account', 'create', '--no-passphrase', '--json'])
    const { file } = created.json<{ file: string }>()
    await chmod(file, 0o644)
    const shown = await user.run(['account', 'show', '--network', network.url])
    expect(shown.code).toBe(7)
    expect(shown.stderr).toContain(`chmod 600 ${file}`)
    expect(shown.stderr).not.toMatch(/^\s+at /m)
  })

  it('takes keys from a file and from standard input, but never twice under one name', async () => {
    await writeFile(join(user.folder, 'key.txt'), `${key}\n`)
    const fromFile = await user.run([
      'account',
      'import',
      'one',
      '--key-file',
      'key.txt',
      '--no-passphrase',
      '--json',
    ])
    expect(fromFile.json()).toMatchObject({ address, encrypted: false })
    const fromInput = await user.run(['account', 'import', 'two', '--no-passphrase', '--json'], {
      input: phrase,
    })
    expect(fromInput.json()).toMatchObject({ address })
    const again = await user.run(['account', 'import', 'two', '--no-passphrase', '--json'], { input: key })
    expect(again.code).toBe(8)
    expect(again.json()).toMatchObject({ error: { code: 'account_exists' } })
    const listed = await user.run(['account', 'list', '--network', network.url, '--json'])
    expect(listed.json<{ accounts: { name: string }[] }>().accounts.map(({ name }) => name)).toEqual([
      'one',
      'two',
    ])
  })

  it('says that a key is no key without showing it', async () => {
    const result = await user.run(['account', 'import', '--no-passphrase'], { input: 'topsecret' })
    expect(result.code).not.toBe(0)
    expect(result.stderr).toContain('hexadecimal')
    expect(result.stderr + result.stdout).not.toContain('topsecret')
  })

  it('asks for a passphrase only where somebody can type one', async () => {
    const result = await user.run(['account', 'create'])
    expect(result.code).toBe(7)
    expect(result.stderr).toContain('ALEPH_PASSPHRASE')
    expect((await user.run(['account', 'list', '--network', network.url, '--json'])).json()).toMatchObject({
      accounts: [],
    })
  })

  it('acts with the key of the environment when there is one', async () => {
    const env = { ALEPH_PRIVATE_KEY: key }
    const shown = await user.run(['account', 'show', '--network', network.url, '--json'], { env })
    expect(shown.json()).toMatchObject({
      name: 'ALEPH_PRIVATE_KEY',
      address,
      balance: { total: '1000', available: '1000', locked: '0' },
    })
  })

  it('says how to make an account when there is none', async () => {
    const result = await user.run(['program', 'list', '--network', network.url])
    expect(result.code).toBe(7)
    expect(result.stderr).toContain('aleph account create')
  })
})
