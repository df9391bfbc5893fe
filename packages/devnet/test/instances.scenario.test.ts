import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, openAsBlob, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildInstanceImage } from '@aleph-ts/guest'
import { ComputeNodeClient, EthereumAccount } from '@aleph-ts/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Devnet, guestCacheDir, silentProgress } from '../src/index.ts'
import { networkAuthority, playAccounts } from '../src/network/funding.ts'
import { aleph } from './aleph-command.ts'

const run = promisify(execFile)

let dataDir: string
let devnet: Devnet
let image: string
let vm: string

/** Two compute nodes of one core node, a user with credits and a key, and an image that boots. */
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'aleph-instances-'))
  devnet = await Devnet.create({
    dataDir,
    coreNodes: 1,
    computeNodes: 2,
    guestCacheDir: guestCacheDir(),
    progress: silentProgress(),
    coreEnvironment: { ALEPH_CORE_COMPUTE_POLL_SECONDS: '1' },
  })
  await devnet.start()
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dataDir, 'key')])
  const authority = devnet.client(0, EthereumAccount.fromPrivateKey(networkAuthority.privateKey))
  const credits = [
    { address: playAccounts[0]!.address, amount: 1_000_000_000, price: '1', tx_hash: '0x', provider: 'TEST' },
  ]
  await authority.publishPost(
    { postType: 'aleph_credit_distribution', content: { distribution: { credits } } },
    { channel: 'ALEPH_CREDIT' },
  )
  const { path } = await buildInstanceImage({ cacheDir: guestCacheDir() })
  const stored = await authority.uploadFile({ file: await openAsBlob(path) })
  await authority.waitForMessage(stored.itemHash)
  image = stored.itemHash
}, 400_000)

afterAll(async () => {
  await devnet?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

/** What `aleph instance …` says. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
async function instance(...args: string[]): Promise<any> {
  const { stdout } = await aleph(dataDir, ['instance', ...args, '--json']).catch(
    (error: { stdout: string }) => error,
  )
  return JSON.parse(stdout)
}

async function urlOfNode(): Promise<string> {
  return (await devnet.client(0).getAllocation(vm))!.computeNode.url
}

/** Runs a command as root inside the instance; waits until it lets us in. */
async function ssh(command: string): Promise<string> {
  const { networking } = await new ComputeNodeClient(await urlOfNode()).waitUntilRunning(vm)
  const port = String(networking?.mapped_ports?.['22']?.host)
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes']
  options.push('ConnectTimeout=10', 'LogLevel=ERROR')
  const args = ['-i', join(dataDir, 'key'), '-p', port, ...options.flatMap((option) => ['-o', option])]
  // Emulated systems take their time to boot.
  const deadline = Date.now() + 150_000
  for (;;) {
    try {
      return (await run('ssh', [...args, 'root@127.0.0.1', command])).stdout.trim()
    } catch (error) {
      // The port is open before the system behind it is up.
      if ((error as { code?: number }).code !== 255 || Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}

test('an instance is created, and its owner gets in by ssh', async () => {
  const key = join(dataDir, 'key.pub')
  const created = await instance(
    ...['create', '--image', image, '--ssh-key', key, '--memory', '256', '--disk-size', '1024'],
    ...['--volume', 'data:/srv/data:64', '--name', 'mine'],
  )
  expect(created).toMatchObject({ item_hash: expect.any(String), ssh: { host: '127.0.0.1' } })
  vm = created.item_hash
  expect(await ssh('whoami')).toBe('root')
}, 240_000)

test('a backup is saved into a file, and brings back what was there', async () => {
  await ssh('echo before >/root/note && sync')
  const file = join(dataDir, 'mine.tar')
  const saved = await instance('backup', vm, '--output', file)
  expect(saved).toMatchObject({ path: file, volumes: ['rootfs.qcow2'] })
  await ssh('echo after >/root/note && sync')
  expect(await instance('restore', vm, '--file', file)).toMatchObject({ operation: 'restore' })
  expect(await ssh('cat /root/note')).toBe('before')
}, 240_000)

test('it moves to the node its owner names, with everything on its disks', async () => {
  await ssh('echo moved >/root/note && echo moved >/srv/data/note && sync')
  const { computeNodes } = await devnet.client(0).listNodes()
  const source = await urlOfNode()
  const [target] = computeNodes.filter(({ address }) => address !== source)
  expect(await instance('migrate', vm, '--to', 'nowhere')).toMatchObject({ error: { code: 'unknown_node' } })
  const moved = await instance('migrate', vm, '--to', target!.name)
  expect(moved).toMatchObject({ item_hash: vm, to: target!.hash, url: target!.address })
  expect(await urlOfNode()).toBe(target!.address)
  expect(await ssh('cat /root/note /srv/data/note')).toBe('moved\nmoved')
  const left = async () => (await new ComputeNodeClient(source).listExecutions())[vm]
  await expect.poll(left, { timeout: 60_000 }).toBeUndefined()
}, 300_000)

test('reinstalled it begins anew, with its volumes where that is asked for', async () => {
  await instance('reinstall', vm, '--keep-volumes')
  expect(await ssh('ls /root/note 2>/dev/null; cat /srv/data/note')).toBe('moved')
  const { lines } = await instance('logs', vm, '--limit', '1')
  expect(lines).toHaveLength(1)
}, 240_000)

test('deleted it costs nothing any more, and nothing of it is left on any node', async () => {
  const list = await instance('list')
  expect(list.instances).toMatchObject([{ item_hash: vm, name: 'mine', memory_mib: 256 }])
  expect(await instance('delete', vm)).toMatchObject({ type: 'FORGET', instance: vm, erased: true })
  expect(await devnet.client(0).getMessageStatus(vm)).toBe('forgotten')
  expect((await instance('list')).instances).toEqual([])
  const left = async () => {
    const nodes = ['compute-1', 'compute-2'].map((name) => join(dataDir, name))
    const files = await Promise.all(nodes.map((node) => readdir(node, { recursive: true })))
    return files.flat().filter((name) => name.includes(vm.slice(0, 16)) && /qcow2|ext4|seed/.test(name))
  }
  await expect.poll(left, { timeout: 60_000 }).toEqual([])
})
