import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MessageCache } from './message-cache.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-messages-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const message = { envelope: { sender: '0x' }, text: '{}' }

test('a kept message is read as it was; one that is not there is none', async () => {
  const cache = new MessageCache(folder)
  await cache.write('aa', message)
  expect([await cache.read('aa'), await cache.read('bb')]).toEqual([message, null])
  await cache.remove('aa')
  expect(await cache.read('aa')).toBeNull()
})

test('when there are too many, those go that were not read for the longest time', async () => {
  const cache = new MessageCache(folder, 100)
  for (let index = 0; index < 256; index++) await cache.write(`old-${index}`, message)
  for (const name of await readdir(folder)) await utimes(join(folder, name), 1, 1)
  await cache.read('old-7')
  await cache.write('new', message)
  const left = await readdir(folder)
  expect(left).toHaveLength(100)
  expect(left).toEqual(expect.arrayContaining(['new.json', 'old-7.json']))
})
