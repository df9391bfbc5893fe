import { type CorechannelAggregate, corechannelSchema } from '@aleph-ts/protocol'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { NodeLinks } from './node-links.ts'

/** A database that keeps nothing. */
const pool = { query: async () => ({ rows: [] }) } as unknown as pg.Pool

function registry(parent: string | null): CorechannelAggregate {
  return corechannelSchema.parse({
    nodes: ['core', 'other'].map((hash) => ({ hash, owner: hash, status: 'active' })),
    resource_nodes: [{ hash: 'node', owner: 'o', status: parent ? 'linked' : 'waiting', parent }],
  })
}

async function parents(links: NodeLinks, parent: string | null, now: number) {
  const { resource_nodes } = await links.look(registry(parent), now)
  return resource_nodes[0]!.parent
}

test('a compute node that was unlinked is looked after by its core node for a while, and takes nothing new', async () => {
  const links = new NodeLinks(pool, { graceSeconds: 100 })
  expect(await parents(links, 'core', 0)).toBe('core')
  expect(links.secondsUnlinked('node', 10)).toBe(0)
  expect(await parents(links, null, 10)).toBe('core')
  expect(links.secondsUnlinked('node', 60)).toBe(50)
  expect((await links.look(registry(null), 60)).resource_nodes[0]!.status).toBe('waiting')
  expect(await parents(links, null, 109)).toBe('core')
  expect(await parents(links, null, 110)).toBeNull()
})

test('one that is linked again is as before', async () => {
  const links = new NodeLinks(pool, { graceSeconds: 100 })
  for (const [parent, now] of [
    ['core', 0],
    [null, 10],
    ['core', 20],
  ] as const) {
    await links.look(registry(parent), now)
  }
  expect(links.secondsUnlinked('node', 30)).toBe(0)
  expect(links.former.size).toBe(0)
})

test('one that goes to another core node is remembered by both until that one has taken over', async () => {
  const links = new NodeLinks(pool, { graceSeconds: 100 })
  await links.look(registry('core'), 0)
  expect(await parents(links, 'other', 10)).toBe('other')
  expect([...links.former]).toEqual([['node', 'core']])
  await links.look(registry('other'), 10 + 600)
  expect(links.former.size).toBe(0)
})

test('one that was never linked is nobody’s', async () => {
  const links = new NodeLinks(pool, { graceSeconds: 100 })
  expect(await parents(links, null, 0)).toBeNull()
})
