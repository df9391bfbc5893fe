import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { withLock } from './build-lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-lock-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('lets one caller work at a time and goes on after one failed', async () => {
  const path = join(folder, 'lock')
  let working = 0
  const work = async (fails: boolean) => {
    expect(++working).toBe(1)
    await access(path)
    working--
    if (fails) throw new Error('broken')
  }
  const results = await Promise.allSettled(
    [true, false, false].map((fails) => withLock(path, () => work(fails))),
  )
  expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  await expect(access(path)).rejects.toThrow()
})

it('takes over from a process that died with the lock', async () => {
  const path = join(folder, 'lock')
  const noProcess = 2 ** 30
  await writeFile(path, String(noProcess))
  expect(await withLock(path, async () => 'done')).toBe('done')
})
