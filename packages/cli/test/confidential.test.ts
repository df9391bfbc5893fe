import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeNetwork } from './fake-network.ts'
import { FakeSevNode } from './fake-sev-node.ts'
import { CliUser } from './run-cli.ts'

let user: CliUser
let network: FakeNetwork
let node: FakeSevNode
let env: Record<string, string>

beforeEach(async () => {
  user = await CliUser.create()
  network = await FakeNetwork.create()
  node = await FakeSevNode.create()
  network.computeNodeUrl = node.url
  env = { ALEPH_NETWORK: network.url, ALEPH_PRIVATE_KEY: '11'.repeat(32) }
  await writeFile(join(user.folder, 'key.pub'), 'ssh-ed25519 AAAA me')
  await writeFile(join(user.folder, 'firmware.fd'), node.firmware)
  await writeFile(join(user.folder, 'passphrase'), 'open sesame\n')
})
afterEach(async () => {
  await user[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
  await node[Symbol.asyncDispose]()
})

async function run(...args: string[]) {
  return user.run([...args, '--json'], { env })
}

async function createInstance(): Promise<string> {
  const stored = await run('file', 'upload', 'firmware.fd')
  const { item_hash: firmware } = stored.json<{ item_hash: string }>()
  const options = ['--image', 'ab'.repeat(32), '--ssh-key', 'key.pub', '--confidential', firmware]
  const created = await run('instance', 'create', ...options)
  expect(created.json()).toMatchObject({ awaiting_launch: true, compute_node: { url: node.url } })
  const [instance] = network.ofType('INSTANCE')
  expect(instance!.content.environment).toMatchObject({ trusted_execution: { firmware, policy: 1 } })
  return instance!.item_hash
}

describe('aleph instance confidential', () => {
  it('launches an instance, verifies what was launched, and hands over its passphrase', async () => {
    const hash = await createInstance()
    const launched = await run('instance', 'confidential', 'init-session', hash)
    expect(launched.json()).toMatchObject({ item_hash: hash, made_by_amd: false })
    const [kept] = await readdir(join(user.home, 'confidential'))
    expect((await stat(join(user.home, 'confidential', kept!))).mode & 0o777).toBe(0o600)

    const started = await run('instance', 'confidential', 'start', hash, '--secret-file', 'passphrase')
    expect(started.json()).toMatchObject({ item_hash: hash, running: true })
    expect(node.passphrase).toBe('open sesame')

    expect((await run('instance', 'confidential', 'init-session', hash, '--keep-session')).code).toBe(0)
  })

  it('hands over nothing when something else was launched', async () => {
    const hash = await createInstance()
    await run('instance', 'confidential', 'init-session', hash)
    node.firmware = Buffer.from('another firmware')
    const started = await run('instance', 'confidential', 'start', hash, '--secret-file', 'passphrase')
    expect(started.code).toBe(5)
    expect(started.json()).toMatchObject({
      error: { code: 'measurement_mismatch', hint: 'Nothing secret was sent.' },
    })
    expect(node.passphrase).toBeUndefined()
  })

  it('says what comes first, and what is for another kind of instance', async () => {
    const hash = await createInstance()
    const early = await run('instance', 'confidential', 'start', hash, '--secret-file', 'passphrase')
    expect(early.json()).toMatchObject({ error: { code: 'no_session' } })
    const mute = await run('instance', 'confidential', 'start', hash)
    expect(mute.json()).toMatchObject({ error: { code: 'secret_needed' } })
    const attested = await run('instance', 'confidential', 'attest', hash)
    expect(attested.json()).toMatchObject({ error: { message: expect.stringContaining('cannot answer') } })
  })
})
