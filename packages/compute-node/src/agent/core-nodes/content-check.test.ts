import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileDag, otherLayouts, sha256Hex, usualLayout } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { contentCheck, isContentOf } from './content-check.ts'

const bytes = randomBytes(1_500_000)
let folder: string
let path: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-content-'))
  path = join(folder, 'file')
  await writeFile(path, bytes)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const cids = ([0, 1] as const).flatMap((cidVersion) =>
  [usualLayout(cidVersion), ...otherLayouts(cidVersion)].map((layout) => {
    const { cid } = new FileDag({ cidVersion, layout }).update(bytes).finish()
    return [`a CID of version ${cidVersion} with ${JSON.stringify(layout)}`, cid.toString()]
  }),
)

async function check(hash: string, given: Buffer): Promise<boolean> {
  const checking = contentCheck(hash)
  for (let at = 0; at < given.length; at += 100_000) checking.update(given.subarray(at, at + 100_000))
  return checking.matches(path)
}

test.each([['a sha256', sha256Hex(bytes)], ...cids])('a file is known by %s', async (_what, hash = '') => {
  expect([await check(hash, bytes), isContentOf(hash, bytes)]).toEqual([true, true])
})

test.each([
  ['a sha256', sha256Hex('other')],
  ['a CID', new FileDag().finish().cid.toString()],
])('another file is told apart by %s', async (_what, hash) => {
  expect([await check(hash, bytes), isContentOf(hash, bytes)]).toEqual([false, false])
})
