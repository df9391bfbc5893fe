import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testAccount } from '../../src/testing/fake-core-node.ts'
import { notify, publishInstance, richWorld } from './instance-message.ts'
import { ownerHeaders } from './owner-headers.ts'
import { TestNode } from './test-node.ts'

const nodeHash = 'ab'.repeat(32)
const deviceId = '10de:2684'
let sysfs: string
let node: TestNode

beforeAll(async () => {
  sysfs = mkdtempSync(join(tmpdir(), 'aleph-sysfs-'))
  for (const address of ['0000:01:00.0', '0000:02:00.0']) {
    const folder = join(sysfs, 'bus/pci/devices', address)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'class'), '0x030200\n')
    writeFileSync(join(folder, 'vendor'), '0x10de\n')
    writeFileSync(join(folder, 'device'), '0x2684\n')
    symlinkSync('../drivers/vfio-pci', join(folder, 'driver'))
    symlinkSync(`../iommu_groups/${address.slice(5, 7)}`, join(folder, 'iommu_group'))
  }
  const environment = { ALEPH_VM_NODE_HASH: nodeHash, ALEPH_VM_ENABLE_GPU_SUPPORT: '1' }
  node = await TestNode.start({ environment, sysfs })
  richWorld(node)
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  rmSync(sysfs, { recursive: true, force: true })
})

function requirements(id = deviceId) {
  const gpu = { vendor: 'NVIDIA', device_name: 'AD102', device_class: '0302', device_id: id }
  return { node: { node_hash: nodeHash }, gpu: [gpu] }
}

async function available(): Promise<string[]> {
  const usage = await (await fetch(`${node.url}/about/usage/system`)).json()
  const { gpu } = usage as { gpu: { available_devices: { pci_host: string }[] } }
  return gpu.available_devices.map(({ pci_host }) => pci_host)
}

test('an instance gets a GPU of its own, and gives it back when it is erased', async () => {
  expect(await available()).toEqual(['01:00.0', '02:00.0'])
  const hash = publishInstance(node, nodeHash, { requirements: requirements() })
  expect((await notify(node, hash))[0]).toBe(200)
  expect(node.hypervisor.shapeOf(hash).gpus).toEqual([
    { pciAddress: '0000:01:00.0', deviceClass: '0302', vfioGroup: '01' },
  ])
  await node.restart()
  expect(await available()).toEqual(['02:00.0'])

  const other = publishInstance(node, nodeHash, { requirements: requirements() })
  expect((await notify(node, other))[0]).toBe(200)
  expect(await available()).toEqual([])
  const third = publishInstance(node, nodeHash, { requirements: requirements() })
  expect(await notify(node, third)).toEqual([503, expect.objectContaining({ code: 'gpu_unavailable' })])

  for (const ref of [hash, other]) {
    const path = `/control/machine/${ref}/erase`
    const headers = ownerHeaders(node.core.owner, path, 'POST')
    expect((await fetch(`${node.url}${path}`, { method: 'POST', headers })).status).toBe(200)
  }
  expect(await available()).toEqual(['01:00.0', '02:00.0'])
})

test('a GPU that the node does not have is refused with the reason', async () => {
  const hash = publishInstance(node, nodeHash, { requirements: requirements('10de:2330') })
  const [status, { error }] = await notify(node, hash)
  expect([status, error]).toEqual([503, 'This node has no GPU 10de:2330'])
})

test('reserved GPUs are kept for who reserved them', async () => {
  const path = '/control/reserve_resources'
  const reserve = async (gpus: number, account = node.core.owner) => {
    const wanted = { ...requirements(), gpu: Array(gpus).fill(requirements().gpu[0]) }
    const content = {
      address: account.address,
      time: Date.now() / 1000,
      allow_amend: false,
      environment: { internet: true, hypervisor: 'qemu' },
      resources: { vcpus: 1, memory: 256, seconds: 30 },
      requirements: wanted,
      rootfs: { parent: { ref: 'ab'.repeat(32) }, persistence: 'host', size_mib: 16 },
    }
    const headers = ownerHeaders(account, path, 'POST')
    const init = { method: 'POST', headers, body: JSON.stringify(content) }
    const response = await fetch(`${node.url}${path}`, init)
    return [response.status, await response.json()]
  }

  expect(await reserve(3)).toEqual([
    400,
    { status: 'error', error: 'Failed to reserves all resources', reason: `No GPU ${deviceId} is free` },
  ])
  expect((await reserve(2, testAccount()))[0]).toBe(200)
  const hash = publishInstance(node, nodeHash, { requirements: requirements() })
  expect((await notify(node, hash))[0]).toBe(503)
})
