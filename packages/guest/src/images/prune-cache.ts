import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Images kept besides the present ones, for nodes that still run on them. */
const keptOlder = 2

/** Deletes entries of the folder that `isCandidate` takes, but for the present one and the newest few. */
export async function pruneCache(
  folder: string,
  present: string,
  isCandidate: (name: string) => boolean,
): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name !== present && isCandidate(name))
  const entries = await Promise.all(
    names.map(async (name) => ({ name, mtimeMs: (await stat(join(folder, name))).mtimeMs })),
  )
  const surplus = entries.sort((a, b) => b.mtimeMs - a.mtimeMs).slice(keptOlder)
  for (const { name } of surplus) await rm(join(folder, name), { recursive: true, force: true })
}
