import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { devnetProfile } from '@aleph-ts/protocol'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NodeIdentity } from './node-identity.ts'

const owner = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-identity-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Registered = { hash: string; owner: string; address: string }

function identity(
  nodes: Registered[],
  changes: { configured?: string; domainName?: string; file?: string } = {},
) {
  const { configured = null, domainName = 'crn.example', file = 'unused' } = changes
  return new NodeIdentity({
    configured,
    ownerAddress: owner,
    domainName,
    messages: { aggregate: async () => ({ nodes: [], resource_nodes: nodes }) },
    profile: devnetProfile,
    path: join(folder, file),
    logger: pino({ level: 'silent' }),
  })
}

async function found(...args: Parameters<typeof identity>): Promise<string | null> {
  const self = identity(...args)
  await self.start()
  await self.look()
  return self.hash
}

const own = { hash: 'own', status: 'linked', owner: owner.toLowerCase(), address: 'https://crn.example/' }

test('a node is the one that its owner registered at its address', async () => {
  const others = [
    { ...own, hash: 'elsewhere', address: 'https://other.example' },
    { ...own, hash: 'somebody’s', owner: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' },
  ]
  expect(await found([...others, own], { file: 'found' })).toBe('own')
})

test('what was found is known again after a restart, but not under another name', async () => {
  await expect.poll(() => found([], { file: 'found' })).toBe('own')
  expect(await found([], { file: 'found', domainName: 'new.example' })).toBeNull()
})

test('of two that fit it is neither; what the operator says counts alone', async () => {
  expect(await found([own, { ...own, hash: 'twin' }])).toBeNull()
  expect(await found([own], { configured: 'told' })).toBe('told')
})
