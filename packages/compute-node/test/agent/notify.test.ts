import { ComputeNodeClient, EthereumAccount } from '@aleph-ts/sdk'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { publishInstance } from './instance-message.ts'
import { ownerHeaders } from './owner-headers.ts'
import { TestNode } from './test-node.ts'

const nodeHash = 'ab'.repeat(32)
let node: TestNode
let credits = 0

beforeAll(async () => {
  node = await TestNode.start({
    environment: { ALEPH_VM_NODE_HASH: nodeHash, ALEPH_VM_PAYMENT_MONITOR_INTERVAL: '0.2' },
  })
  node.core.intercept = (request, response) => {
    const isPrice = request.url?.startsWith('/api/v0/price/')
    if (!isPrice && !request.url?.endsWith('/balance')) return false
    response.end(JSON.stringify(isPrice ? { cost: '1' } : { balance: 0, credit_balance: credits }))
    return true
  }
})
beforeEach(() => {
  credits = 1_000_000
})
afterAll(() => node[Symbol.asyncDispose]())

function publish(changes: Record<string, unknown> = {}): string {
  return publishInstance(node, nodeHash, changes)
}

async function notify(body: unknown): Promise<[number, Record<string, unknown>]> {
  const headers = { 'content-type': 'application/json' }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await fetch(`${node.url}/control/allocation/notify`, init)
  return [response.status, (await response.json()) as Record<string, unknown>]
}

async function isRunning(hash: string): Promise<boolean> {
  const list = await (await fetch(`${node.url}/v2/about/executions/list`)).json()
  return (list as Record<string, { running: boolean }>)[hash]?.running ?? false
}

describe('an instance its owner asks for', () => {
  test('runs when it can be paid, and is found again after a restart of the node', async () => {
    const hash = publish()
    const success = { success: true, successful: true, failing: [], errors: {} }
    expect(await notify({ instance: hash })).toEqual([200, success])
    expect(await isRunning(hash)).toBe(true)
    await node.restart()
    expect(await isRunning(hash)).toBe(true)
    const list = await (await fetch(`${node.url}/v2/about/executions/list`)).json()
    expect((list as Record<string, unknown>)[hash]).toMatchObject({
      vm_type: 'instance',
      networking: {
        ipv4_ip: '10.0.2.15',
        ipv6_network: expect.stringMatching(/^fc00:1:2:3:3:.*\/124$/),
        mapped_ports: { '22': { host: expect.any(Number), tcp: true, udp: false } },
      },
    })
  })

  test('ends when its owner has no credits left', async () => {
    const hash = publish()
    await notify({ instance: hash })
    credits = 0
    await expect.poll(() => isRunning(hash)).toBe(false)
  })

  test('is stopped, started and erased by its owner through the client', async () => {
    const hash = publish()
    const account = EthereumAccount.fromPrivateKey(Buffer.from(node.core.owner.privateKey).toString('hex'))
    const client = new ComputeNodeClient(node.url, { account })
    await client.notify(hash)
    await client.operate(hash, 'stop')
    expect(await isRunning(hash)).toBe(false)
    await client.operate(hash, 'start')
    expect(await isRunning(hash)).toBe(true)
    await client.refreshPorts(hash)
    node.machines.get(hash)?.print('from the console')
    await client.operate(hash, 'erase')
    expect(await client.listExecutions()).not.toHaveProperty(hash)
  })
})

describe('is refused', () => {
  test.each<[string, () => unknown, number, string | RegExp]>([
    ['of a program', () => node.deploy(() => {}), 400, '400: Message is not an instance'],
    ['that nobody knows', () => 'cd'.repeat(32), 404, /No core node knows/],
    ['paid by holding', () => publish({ payment: null }), 400, '400: Invalid payment method'],
    [
      'for another node',
      () => publish({ requirements: { node: { node_hash: 'ef'.repeat(32) } } }),
      400,
      '400: Instance is allocated to a different node',
    ],
    [
      'too large',
      () => publish({ resources: { vcpus: 1, memory: 1_000_000, seconds: 30 } }),
      503,
      'This CRN cannot host the requested instance at this time.',
    ],
  ])('a request %s', async (_what, instance, status, error) => {
    const [actual, body] = await notify({ instance: await instance() })
    expect([actual, body.error]).toEqual([
      status,
      typeof error === 'string' ? error : expect.stringMatching(error),
    ])
  })

  test('a request that cannot be paid for an hour', async () => {
    credits = 3599
    const [status, { error }] = await notify({ instance: publish() })
    expect([status, error]).toEqual([402, expect.stringContaining('Insufficient credits for this instance')])
  })

  test('a request whose disk is smaller than its parent, with the reason', async () => {
    const parent = { ref: node.core.store(Buffer.alloc(3 * 1024 * 1024)), use_latest: false }
    const hash = publish({ rootfs: { parent, persistence: 'host', size_mib: 2 } })
    const [status, { success, errors }] = await notify({ instance: hash })
    expect([status, success]).toEqual([503, false])
    expect((errors as Record<string, string>)[hash]).toContain('size_mib')
  })

  test('a disk image that would read a file of the host', async () => {
    const image = Buffer.alloc(65_536)
    image.writeUInt32BE(0x514649fb, 0)
    image.writeUInt32BE(3, 4)
    image.writeBigUInt64BE(512n, 8)
    image.writeUInt32BE(11, 16)
    image.writeBigUInt64BE(1024n * 1024n, 24)
    image.write('/etc/passwd', 512)
    const parent = { ref: node.core.store(image), use_latest: false }
    const hash = publish({ rootfs: { parent, persistence: 'host', size_mib: 16 } })
    const [, { errors }] = await notify({ instance: hash })
    expect((errors as Record<string, string>)[hash]).toContain('names a backing file')
  })

  test('a body that is none', async () => {
    expect((await notify({ instance: 'x' }))[0]).toBe(400)
  })
})

test('resources are reserved for who signs, as long as they are there', async () => {
  const path = '/control/reserve_resources'
  const reserve = async (memory: number) => {
    const content = {
      address: node.core.owner.address,
      time: Date.now() / 1000,
      allow_amend: false,
      environment: { internet: true, hypervisor: 'qemu' },
      resources: { vcpus: 1, memory, seconds: 30 },
      rootfs: { parent: { ref: 'ab'.repeat(32) }, persistence: 'host', size_mib: 16 },
    }
    const headers = ownerHeaders(node.core.owner, path, 'POST')
    const init = { method: 'POST', headers, body: JSON.stringify(content) }
    const response = await fetch(`${node.url}${path}`, init)
    return [response.status, await response.json()]
  }
  expect(await reserve(256)).toEqual([
    200,
    { status: 'reserved', expires: expect.stringContaining('+00:00') },
  ])
  expect(await reserve(1_000_000)).toMatchObject({ 0: 503 })
})
