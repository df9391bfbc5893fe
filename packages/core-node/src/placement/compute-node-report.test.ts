import { readFileSync } from 'node:fs'
import { hasPublicPool } from '@aleph-ts/protocol'
import { expect, test } from 'vitest'
import { computeNodeReport } from './compute-node-report.ts'

interface Observed {
  value: Record<string, unknown>
}
const { crn } = JSON.parse(
  readFileSync(new URL('../../../../fixtures/network-objects.json', import.meta.url), 'utf8'),
) as { crn: { status_config: Observed; usage_system: Observed } }
const [config, usage] = [crn.status_config.value, crn.usage_system.value]

test('a compute node of the production network that reports nothing is known by what it answers', () => {
  const report = computeNodeReport('node', config, usage)
  expect(report).toMatchObject({
    node_hash: 'node',
    version: '1.3.0-41-g7303587',
    api: { allocations: 1 },
    arch: 'x86_64',
    vendor: 'GenuineIntel',
    hypervisors: ['qemu', 'firecracker'],
    gpus: [{ device_id: '10de:27b0', model: 'AD104GL [RTX 4000 SFF Ada Generation]', count: 1 }],
    ipv6_pool: '2a01:4f8:110:142e::/64',
    payment_receiver: '0xA07B1214bAe0D5ccAA25449C3149c0aC83658874',
  })
  expect(hasPublicPool(report)).toBe(true)
  // Its kB are thousands of bytes; it keeps 2 GiB for itself and 8 GiB for programs (protocol 06 §7.6, T25).
  expect(report.caps).toEqual({
    vcpus: 80,
    instance_memory_mib: Math.floor((67_219_543 * 1000) / 1_048_576) - 2_048 - 8_192,
    program_memory_mib: 8_192,
    disk_mib: Math.floor((1_853_812_338 * 1000) / 1_048_576),
  })
})

test('a small compute node has no room for instances, never less than none', () => {
  const small = { ...usage, mem: { total_kB: 4_000_000 } }
  expect(computeNodeReport('node', config, small).caps).toMatchObject({
    instance_memory_mib: 0,
    program_memory_mib: 3_814,
  })
})

test.each([
  ['usage', config, {}],
  ['numbers', config, { ...usage, cpu: { count: 'many' } }],
  ['objects', null, []],
])('what is no answer of a compute node is refused: %s', (_, someConfig, someUsage) => {
  expect(() => computeNodeReport('node', someConfig, someUsage)).toThrow()
})
