import { randomBytes } from 'node:crypto'
import { evmAddress, sha256Hex } from '@aleph-ts/protocol'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ComputeNodeCalls } from '../../src/placement/compute-node-calls.ts'
import { Migrations } from '../../src/placement/migrations.ts'
import { registeredRequests } from '../../src/registered-request.ts'
import { patience } from '../testing/patience.ts'
import { sign } from '../testing/wallet.ts'
import { ComputeNodeStub } from './compute-node-stub.ts'
import { ComputePair } from './compute-pair.ts'

const privateKey = Uint8Array.from(randomBytes(32))
const key = { address: evmAddress(privateKey), privateKey }
const vmHash = sha256Hex('vm')

let source: ComputeNodeStub
let target: ComputeNodeStub
let other: ComputeNodeStub
let migrations: Migrations
const refused: string[] = []
const failed: string[] = []

beforeEach(async () => {
  source = await ComputeNodeStub.start([key.address])
  target = await ComputeNodeStub.start([key.address])
  other = await ComputeNodeStub.start([key.address])
  refused.length = 0
  failed.length = 0
  const { ask: askRegistered } = registeredRequests({ allowPrivate: true })
  migrations = new Migrations({
    calls: new ComputeNodeCalls({ askRegistered, key }),
    logger: pino({ level: 'silent' }),
    onChange: () => {},
    onRefused: (_, code) => refused.push(code),
    onFailed: (migration) => failed.push(migration.target.hash),
    pollMs: 5,
    firstRetryMs: 5,
    patienceMs: 100,
  })
})

afterEach(async () => {
  await migrations.stop()
  for (const stub of [source, target, other]) stub.stop()
})

function move(to: Pick<ComputeNodeStub, 'url'>, hash: string): void {
  migrations.begin({ vmHash, source: { hash: 'source', url: source.url }, target: { hash, url: to.url } })
}

test('a target that cannot fetch the disks is given up, and another one fetches them from where they are', async () => {
  target.failingImports = true
  move(target, 'target')
  await vi.waitFor(() => expect(failed).toEqual(['target']), patience)
  expect(refused).toEqual(['target_failed'])
  expect(source.exported.has(vmHash)).toBe(true)
  expect(source.cleanedUp).toEqual([])

  move(other, 'other')
  await vi.waitFor(() => expect(migrations.in('arrived')).toHaveLength(1), patience)
  expect(other.imported.has(vmHash)).toBe(true)
  migrations.finish(vmHash)
  await vi.waitFor(() => expect(source.cleanedUp).toEqual([vmHash]), patience)
})

test('a target that dies after the instance has left is given up', async () => {
  source.exported.add(vmHash)
  const { url } = target
  target.stop()
  move({ url }, 'target')
  await vi.waitFor(() => expect(refused).toEqual(['target_failed']), patience)
  expect(migrations.underway.size).toBe(0)
  expect(source.cleanedUp).toEqual([])
})

test('another target that has no room is not waited for, though the instance has left', async () => {
  source.exported.add(vmHash)
  other.refusing.set('*', 'insufficient_capacity')
  move(other, 'other')
  await vi.waitFor(() => expect(refused).toEqual(['insufficient_capacity']), patience)
  expect(other.imported.size).toBe(0)
})

test('a source that does not answer is waited for: nobody else has the disks', async () => {
  move(target, 'target')
  source.stop()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(refused).toEqual([])
  expect(migrations.underway.has(vmHash)).toBe(true)
})

test('an instance whose target fails is where it was, and that is told', async () => {
  await using pair = await ComputePair.start({ placement: {}, prepare: () => {} })
  const vm = await pair.publishInstance()
  await vi.waitFor(async () => expect(await pair.placeOf(vm)).toBeDefined(), patience)
  const source = (await pair.placeOf(vm))!
  const index = pair.hashes.indexOf(source)
  const [left, target] = [pair.stubs[index]!, pair.stubs[1 - index]!]
  await vi.waitFor(() => expect(pair.plan(index).instances).toContain(vm), patience)
  target.failingImports = true
  const content = { [source]: true }
  await pair.node.publish(sign(pair.registrar, 'AGGREGATE', { key: 'node-drains', content }))
  await vi.waitFor(async () => {
    const { items } = (await pair.node.get(`/scheduler/api/v1/vms/${vm}/history`)).body
    expect(items).toMatchObject([
      { action: 'migrated_to', node_hash: source, reason: 'target_failed' },
      { action: 'migrated_from', node_hash: pair.hashes[1 - index], reason: 'target_failed' },
      { action: 'scheduled', node_hash: source },
    ])
  }, patience)
  await vi.waitFor(async () => {
    const { body } = await pair.node.get(`/scheduler/api/v1/vms/${vm}`)
    expect(body).toMatchObject({ allocated_node: source, migration_target: null })
  }, patience)
  expect(pair.plan(index).instances).toContain(vm)
  expect(left.cleanedUp).not.toContain(vm)
})
