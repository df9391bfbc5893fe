import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeNetwork } from './fake-network.ts'
import { CliUser } from './run-cli.ts'

let user: CliUser
let network: FakeNetwork
const image = 'ab'.repeat(32)
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample me@home'

beforeEach(async () => {
  user = await CliUser.create()
  network = await FakeNetwork.create()
  await writeFile(join(user.folder, 'key.pub'), `${key}\n`)
})

afterEach(async () => {
  await user[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
})

function instance(...args: string[]) {
  const env = { ALEPH_PRIVATE_KEY: `0x${'55'.repeat(32)}`, ALEPH_NETWORK: network.url }
  return user.run(['instance', ...args, '--json'], { env })
}

const create = (...options: string[]) =>
  instance('create', '--image', image, '--ssh-key', 'key.pub', ...options)

describe('aleph instance', () => {
  it('starts a machine, says how to get in, lists, operates and deletes it', async () => {
    const created = await create('--memory', '512', '--name', 'mine', '--volume', 'data:/srv/data:64')
    const { item_hash: hash, ssh } = created.json<{ item_hash: string; ssh: object }>()
    expect(ssh).toEqual({ host: '127.0.0.1', port: 24_000 })
    expect(network.ofType('INSTANCE')[0]!.content).toMatchObject({
      authorized_keys: [key],
      metadata: { name: 'mine' },
      resources: { memory: 512, vcpus: 1 },
      rootfs: { parent: { ref: image }, size_mib: 20_480, persistence: 'host' },
      volumes: [{ name: 'data', mount: '/srv/data', size_mib: 64, persistence: 'host' }],
      payment: { type: 'credit' },
    })
    expect((await instance('list')).json()).toMatchObject({
      instances: [{ item_hash: hash, name: 'mine', compute_node: { url: network.url } }],
    })
    expect((await instance('reboot', hash)).json()).toMatchObject({ item_hash: hash, operation: 'reboot' })
    await instance('reinstall', hash, '--keep-volumes')
    expect((await instance('delete', hash)).json()).toMatchObject({ instance: hash, erased: true })
    expect(network.operations).toEqual(['POST reboot', 'POST reinstall?erase_volumes=false', 'POST erase'])
    expect(network.ofType('FORGET').map(({ content }) => content.hashes)).toEqual([[hash]])
  })

  it.each<[string, string[], number, string]>([
    ['a key that is not there', ['create', '--image', image, '--ssh-key', 'none.pub'], 2, 'no_ssh_key'],
    ['a volume without a size', ['create', '--image', image, '--volume', 'data:/srv'], 2, 'usage'],
    ['an instance without a place', ['stop', image], 4, 'not_allocated'],
    ['a deletion of what nobody knows', ['delete', image], 4, 'not_found'],
    ['a restore from nothing', ['restore', image], 2, 'usage'],
    ['a restore from what is no backup', ['restore', image, '--file', 'key.pub'], 2, 'no_root_disk'],
    ['a move to nowhere', ['migrate', image, '--to', 'nobody'], 4, 'unknown_node'],
  ])('says what is wrong with %s, and sends nothing', async (_what, args, code, reason) => {
    const result = await instance(...args)
    expect(result.json()).toMatchObject({ error: { code: reason } })
    expect(result.code).toBe(code)
    expect(network.messages).toEqual([])
    expect(network.operations).toEqual([])
  })
})
