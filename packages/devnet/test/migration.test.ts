import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ComputeNode, configFromEnvironment } from '@aleph-ts/compute-node'
import { FakeHypervisor } from '@aleph-ts/compute-node/testing'
import { devAccounts } from '@aleph-ts/contracts/local-chain'
import { CoreNode, defaultLimits } from '@aleph-ts/core-node'
import { devnetProfile, schedulerChannel, sha256Hex } from '@aleph-ts/protocol'
import { AlephClient, buildMessage, EthereumAccount } from '@aleph-ts/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'

const patience = { timeout: 60_000, interval: 200 }
const authority = EthereumAccount.fromPrivateKey(devAccounts(1)[0]!.privateKey)
const user = EthereumAccount.generate().account
const hashes = ['left', 'right'].map((name) => sha256Hex(name))

/** Instances are placed on nodes with QEMU only; here nothing of theirs runs but the agent's side. */
class QemuByName extends FakeHypervisor {
  override async probe() {
    return { ...(await super.probe()), hypervisor: 'qemu' as const }
  }
}

let dataDir: string
let core: CoreNode
let network: AlephClient
const nodes: { node: ComputeNode; url: string; dataDir: string }[] = []

/** A core node with two compute nodes, real but for their guests. */
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'aleph-migration-'))
  core = await CoreNode.create({
    dataDir: join(dataDir, 'core'),
    http: { host: '127.0.0.1', port: 0 },
    p2p: { host: '127.0.0.1', port: 0, peers: [] },
    profile: devnetProfile,
    evmRpc: {},
    verifyWorkers: 1,
    privateKeyFile: join(dataDir, 'operator.key'),
    logLevel: 'error',
    limits: defaultLimits,
    maxRetries: 10,
    allowPrivateNodes: true,
    placement: { pollSeconds: 0.5, moveProgramsAfterSeconds: 600, moveInstancesAfterSeconds: 600 },
  })
  await core.start()
  network = new AlephClient({ apiUrl: core.url, account: authority })
  for (const nodeHash of hashes) await startComputeNode(nodeHash)
  const content = {
    nodes: [{ hash: sha256Hex('core'), owner: core.address, status: 'active', resource_nodes: hashes }],
    resource_nodes: hashes.map((hash, index) => ({
      hash,
      name: hash,
      owner: authority.address,
      status: 'linked',
      parent: sha256Hex('core'),
      address: nodes[index]!.url,
    })),
  }
  await network.publishAggregate({ key: 'corechannel', content })
  const credits = [{ address: user.address, amount: 1_000_000, price: '1', tx_hash: '0x', provider: 'TEST' }]
  await network.publishPost(
    { postType: 'aleph_credit_distribution', content: { distribution: { credits } } },
    { channel: 'ALEPH_CREDIT' },
  )
}, 120_000)

afterAll(async () => {
  for (const { node } of nodes) await node.stop(true)
  await core?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function startComputeNode(nodeHash: string): Promise<void> {
  const config = configFromEnvironment({
    ALEPH_VM_DATA_DIR: join(dataDir, nodeHash.slice(0, 8)),
    ALEPH_VM_SUPERVISOR_PORT: '0',
    ALEPH_VM_API_SERVERS: core.url,
    ALEPH_VM_HYPERVISOR: 'fake',
    ALEPH_VM_LOG_LEVEL: 'silent',
    ALEPH_VM_NODE_HASH: nodeHash,
    ALEPH_VM_OWNER_ADDRESS: authority.address,
    ALEPH_VM_MIGRATE_FROM_PRIVATE: '1',
  })
  const node = await ComputeNode.create(config, { hypervisor: new QemuByName() })
  nodes.push({ node, url: (await node.start()).url, dataDir: config.dataDir })
}

/** Hash of the instance's data disk where it is; every new disk is another. */
async function diskOf(vm: string, index: number): Promise<string | undefined> {
  const files = await readdir(nodes[index]!.dataDir, { recursive: true })
  const disk = files.find((file) => file.includes(vm.slice(0, 16)) && file.endsWith('data.ext4'))
  if (disk === undefined) return undefined
  return createHash('sha256')
    .update(readFileSync(join(nodes[index]!.dataDir, disk)))
    .digest('hex')
}

async function placeOf(vm: string): Promise<number> {
  return hashes.indexOf((await network.getAllocation(vm))?.computeNode.hash ?? '')
}

test('an instance on a compute node that is drained moves to another one with its disks', async () => {
  const parent = await network.uploadFile({ file: new Uint8Array(1024 * 1024) })
  await network.waitForMessage(parent.itemHash)
  const client = new AlephClient({ apiUrl: core.url, account: user })
  const content = {
    allow_amend: false,
    environment: { internet: true, hypervisor: 'qemu' as const },
    resources: { vcpus: 1, memory: 256, seconds: 30 },
    payment: { chain: 'ETH' as const, type: 'credit' as const },
    rootfs: {
      parent: { ref: parent.itemHash, use_latest: false },
      persistence: 'host' as const,
      size_mib: 16,
    },
    volumes: [{ mount: '/srv', name: 'data', persistence: 'host' as const, size_mib: 8 }],
  }
  const { itemHash: vm } = await client.send(
    buildMessage('INSTANCE', content, { account: user, channel: 'TEST' }),
  )
  await client.waitForMessage(vm)
  await expect.poll(() => placeOf(vm), patience).toBeGreaterThanOrEqual(0)
  const source = await placeOf(vm)
  const target = 1 - source
  await expect.poll(() => diskOf(vm, source), patience).toBeDefined()
  const disk = await diskOf(vm, source)

  await network.publishAggregate(
    { key: 'node-drains', content: { [hashes[source]!]: true } },
    { channel: schedulerChannel },
  )
  await expect.poll(() => placeOf(vm), patience).toBe(target)
  await expect.poll(() => diskOf(vm, target), patience).toBe(disk)
  await expect
    .poll(async () => {
      const executions = await (await fetch(`${nodes[target]!.url}/v2/about/executions/list`)).json()
      return (executions as Record<string, { running: boolean }>)[vm]?.running
    }, patience)
    .toBe(true)
  await expect.poll(() => diskOf(vm, source), patience).toBeUndefined()
  const history = await fetch(`${core.url}/scheduler/api/v1/vms/${vm}/history`)
  expect(((await history.json()) as { items: object[] }).items).toMatchObject([
    { action: 'migrated_to', node_hash: hashes[target], reason: 'node_draining' },
    { action: 'migrated_from', node_hash: hashes[source] },
    { action: 'scheduled', node_hash: hashes[source] },
  ])
}, 240_000)
