import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError, configFromEnvironment, publicSettings } from './config.ts'

const least = { ALEPH_VM_DATA_DIR: '/data', ALEPH_VM_API_SERVERS: 'http://127.0.0.1:4024' }

test('a data folder and one core node are enough; everything else has a safe default', () => {
  expect(configFromEnvironment({ ...least, ALEPH_VM_NODE_HASH: '' })).toMatchObject({
    host: '127.0.0.1',
    port: 4020,
    domainName: 'localhost',
    apiServers: ['http://127.0.0.1:4024'],
    nodeHash: null,
    reuseTimeoutMs: 3_600_000,
    stopVmsOnExit: false,
    hypervisor: 'auto',
    guestImagesDir: '/data/guest-images',
    limits: { archiveBytes: 10_000_000 },
  })
})

test('several core nodes, or the older single name, are understood', () => {
  const several = { ...least, ALEPH_VM_API_SERVERS: 'http://a.example, https://b.example' }
  expect(configFromEnvironment(several).apiServers).toEqual(['http://a.example', 'https://b.example'])
  const older = { ALEPH_VM_DATA_DIR: '/data', ALEPH_VM_API_SERVER: 'http://c.example' }
  expect(configFromEnvironment(older).apiServers).toEqual(['http://c.example'])
})

test.each<[string, Record<string, string>]>([
  ['ALEPH_VM_DATA_DIR', { ALEPH_VM_API_SERVERS: 'http://a.example' }],
  ['ALEPH_VM_API_SERVERS', { ALEPH_VM_DATA_DIR: '/data' }],
  ['ALEPH_VM_API_SERVERS', { ...least, ALEPH_VM_API_SERVERS: 'not a url' }],
  ['ALEPH_VM_SUPERVISOR_PORT', { ...least, ALEPH_VM_SUPERVISOR_PORT: '70000' }],
  ['ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS', { ...least, ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: '0x1' }],
  ['ALEPH_VM_HYPERVISOR', { ...least, ALEPH_VM_HYPERVISOR: 'xen' }],
  ['ALEPH_VM_PROFILE', { ...least, ALEPH_VM_PROFILE: 'nowhere' }],
  ['ALEPH_VM_NETWORK', { ...least, ALEPH_VM_NETWORK: 'cable' }],
  ['ALEPH_VM_TAP_PREFIX', { ...least, ALEPH_VM_TAP_PREFIX: 'tap1' }],
  ['ALEPH_VM_IPV4_ADDRESS_POOL', { ...least, ALEPH_VM_IPV4_ADDRESS_POOL: '172.16.0.0' }],
  ['ALEPH_VM_IPV6_ADDRESS_POOL', { ...least, ALEPH_VM_IPV6_ADDRESS_POOL: 'fc00::1' }],
  ['ALEPH_VM_GUEST_ALLOWED_NETWORKS', { ...least, ALEPH_VM_GUEST_ALLOWED_NETWORKS: '10.0.0.0/33' }],
  ['ALEPH_VM_DNS_NAMESERVERS', { ...least, ALEPH_VM_DNS_NAMESERVERS: 'dns.example' }],
  ['ALEPH_VM_PROFILE', { ...least, ALEPH_VM_PROFILE: '/nowhere/profile.json' }],
])('a wrong %s is named', (name, environment) => {
  expect(() => configFromEnvironment(environment)).toThrow(ConfigError)
  expect(() => configFromEnvironment(environment)).toThrow(name)
})

test('a profile can come from a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aleph-profile-'))
  try {
    const path = join(folder, 'lab.json')
    await writeFile(path, JSON.stringify({ extends: 'devnet', name: 'lab' }))
    expect(configFromEnvironment({ ...least, ALEPH_VM_PROFILE: path }).profile.name).toBe('lab')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('chains are named one by one, and their addresses are on no page', () => {
  const config = configFromEnvironment({ ...least, ALEPH_VM_EVM_RPC_AVAX: 'https://node.example/secret' })
  expect(config.evmRpcUrls).toEqual({ AVAX: 'https://node.example/secret' })
  expect(JSON.stringify(publicSettings(config))).not.toContain('secret')
  expect(() => configFromEnvironment({ ...least, ALEPH_VM_EVM_RPC_MOON: 'https://node.example' })).toThrow(
    /ALEPH_VM_EVM_RPC_MOON/,
  )
})

test('streams go to the owner unless told otherwise', () => {
  const owner = '0x1111111111111111111111111111111111111111'
  expect(configFromEnvironment({ ...least, ALEPH_VM_OWNER_ADDRESS: owner }).paymentReceiver).toBe(owner)
  expect(configFromEnvironment(least).paymentReceiver).toBeNull()
})
