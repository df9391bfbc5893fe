import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { collectFiles } from './collect-files.ts'
import { guessStart } from './guess-runtime.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-bundle-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

async function write(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

describe('how a program is started', () => {
  const cases: [what: string, files: Record<string, string>, runtime: string, entrypoint: string][] = [
    ['an index.ts', { 'index.ts': '', 'lib/a.ts': '' }, 'node', 'index.ts'],
    [
      'a package.json with main',
      { 'package.json': '{"main":"./src/app.js"}', 'src/app.js': '' },
      'node',
      'src/app.js',
    ],
    ['a single module of any name', { 'hello.mjs': '' }, 'node', 'hello.mjs'],
    ['a main.py', { 'main.py': '', 'lib.py': '' }, 'python', 'main:app'],
    ['a single Python file', { 'bot.py': '' }, 'python', 'bot:app'],
    ['a script called run.sh', { 'run.sh': '#!/bin/sh', 'www/index.html': '' }, 'binary', 'run.sh'],
    ['a single ELF file', { anything: '\x7fELF' }, 'binary', 'anything'],
  ]
  for (const [what, files, runtime, entrypoint] of cases) {
    it(`is guessed from ${what}`, async () => {
      await write(files)
      expect(await guessStart(await collectFiles(folder), {})).toEqual({ runtime, entrypoint })
    })
  }

  it('is what the user says, when both could be', async () => {
    await write({ 'index.ts': '', 'main.py': '', 'bot/web.py': '' })
    const files = await collectFiles(folder)
    expect(await guessStart(files, { runtime: 'python' })).toEqual({
      runtime: 'python',
      entrypoint: 'main:app',
    })
    expect(await guessStart(files, { entrypoint: 'bot.web:site' })).toEqual({
      runtime: 'python',
      entrypoint: 'bot.web:site',
    })
  })
})

describe('the files of a program', () => {
  it('come in one order, with what may be executed marked', async () => {
    await write({ 'b.sh': '', 'a/z': '', 'a.txt': '' })
    await chmod(join(folder, 'b.sh'), 0o755)
    const files = await collectFiles(folder)
    expect(files.map(({ path, executable }) => [path, executable])).toEqual([
      ['a.txt', false],
      ['a/z', false],
      ['b.sh', true],
    ])
  })

  it('follow links inside the folder and refuse those that leave it', async () => {
    await write({ 'real.txt': 'x' })
    await symlink('real.txt', join(folder, 'link.txt'))
    expect((await collectFiles(folder)).map(({ path }) => path)).toEqual(['link.txt', 'real.txt'])
    await symlink('/etc/hostname', join(folder, 'out.txt'))
    await expect(collectFiles(folder)).rejects.toThrow(/out\.txt leaves the folder/)
  })

  it('refuse a link that goes round in a circle', async () => {
    await write({ 'a/b.txt': '' })
    await symlink('..', join(folder, 'a/up'))
    await expect(collectFiles(folder)).rejects.toThrow(/leads back/)
  })

  it('refuse an empty folder', async () => {
    await expect(collectFiles(folder)).rejects.toThrow(/nothing to deploy/)
  })
})
