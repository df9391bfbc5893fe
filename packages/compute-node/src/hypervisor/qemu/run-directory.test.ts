import { chmod, mkdir, mkdtemp, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RunDirectory } from './run-directory.ts'

const launchId = '0123456789abcdef'
let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'aleph-run-'))
})

afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true })
})

test('socket paths are short however long the data directory is', async () => {
  const deep = join(dataDir, 'x'.repeat(200), 'y'.repeat(200))
  await mkdir(deep, { recursive: true })
  const run = new RunDirectory(deep)
  for (const path of Object.values(run.paths(launchId))) expect(path.length).toBeLessThan(107)
  await run.open(launchId, null)
  await run.remove(launchId)
})

test('a launch’s folder is for its user alone and leaves nothing behind', async () => {
  const run = new RunDirectory(dataDir)
  const { directory } = await run.open(launchId, null)
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  expect(await run.launchIds()).toEqual([launchId])
  await run.remove(launchId)
  expect(await run.launchIds()).toEqual([])
  await expect(stat(dirname(directory))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a folder that others may write to is refused', async () => {
  const run = new RunDirectory(dataDir)
  const base = dirname(run.paths(launchId).directory)
  await mkdir(base)
  await chmod(base, 0o777)
  await expect(run.open(launchId, null)).rejects.toThrow(/writable by others/)
  await expect(run.launchIds()).rejects.toThrow(/writable by others/)
  await rmdir(base)
})

test.each(['', 'abc', '-5', '1', '99999999999999999999'])('pid file content "%s" is no pid', async (text) => {
  const run = new RunDirectory(dataDir)
  const { pidFile } = await run.open(launchId, null)
  await writeFile(pidFile, text)
  expect(await run.readPid(launchId)).toBeNull()
  await run.remove(launchId)
})
