import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TapLinks } from './tap-links.ts'

const [first, second, third] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string]
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-links-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

async function open(ipv4Pool = '172.16.0.0/12'): Promise<TapLinks> {
  const pools = { tapPrefix: 'vmtap', ipv4Pool, ipv6Pool: 'fc00:1:2:3::/64' }
  const links = new TapLinks(join(folder, 'links.json'), pools)
  await links.start()
  return links
}

test('a VM keeps its link across restarts, until it is erased', async () => {
  const links = await open()
  const taps = await Promise.all([first, second, first].map(async (vm) => (await links.of(vm)).tap))
  expect(taps).toEqual(['vmtap4', 'vmtap5', 'vmtap4'])

  const later = await open()
  expect((await later.of(second)).tap).toBe('vmtap5')
  await later.release(first)
  expect((await later.of(third)).tap).toBe('vmtap4')
})

test('a pool that is used up says which setting makes it larger', async () => {
  const links = await open('10.0.0.0/22')
  await expect(links.of(first)).rejects.toThrow('ALEPH_VM_IPV4_ADDRESS_POOL')
})
