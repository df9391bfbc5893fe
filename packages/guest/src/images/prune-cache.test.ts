import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { pruneCache } from './prune-cache.ts'

it('keeps the present image, the two newest others, and whatever is no image', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aleph-prune-'))
  try {
    for (const [age, name] of [
      'image-new',
      'image-newer',
      'image-old',
      'image-older',
      'image-now',
    ].entries()) {
      await mkdir(join(folder, name))
      await utimes(join(folder, name), 1_000_000, 1_000_000 - age)
    }
    await writeFile(join(folder, 'lock'), '')
    await pruneCache(folder, 'image-now', (name) => name.startsWith('image-'))
    expect((await readdir(folder)).sort()).toEqual(['image-new', 'image-newer', 'image-now', 'lock'])
  } finally {
    await rm(folder, { recursive: true })
  }
})
