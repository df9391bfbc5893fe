import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConsoleLog } from './console-log.ts'
import type { LogOptions } from './vm-spec.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aleph-log-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

function openLog(maxBytes = 100_000): ConsoleLog {
  return new ConsoleLog(join(directory, 'vm.log'), maxBytes)
}

async function read(log: ConsoleLog, options?: LogOptions): Promise<string[]> {
  const lines: string[] = []
  for await (const { text } of log.read(options)) lines.push(text)
  return lines
}

test('lines arrive whole whatever the pieces they were printed in', async () => {
  const log = openLog()
  const bytes = Buffer.from('grüße\r\nsecond\nrest')
  for (const byte of bytes) log.write(Buffer.of(byte))
  expect(await read(log)).toEqual(['grüße', 'second'])
  log.endLine()
  expect(await read(log)).toEqual(['grüße', 'second', 'rest'])
})

test('the log is there after reopening, with the time of every line', async () => {
  const before = Date.now() / 1000 - 1
  const log = openLog()
  log.write(Buffer.from('one\n'))
  await log.flush()
  for await (const line of openLog().read()) {
    expect(line.text).toBe('one')
    expect(line.time).toBeGreaterThan(before)
  }
})

test('limit gives the last lines, since leaves older ones out', async () => {
  const log = openLog()
  log.write(Buffer.from('1\n2\n3\n'))
  expect(await read(log, { limit: 2 })).toEqual(['2', '3'])
  expect(await read(log, { limit: 0 })).toEqual([])
  expect(await read(log, { since: Date.now() / 1000 + 60 })).toEqual([])
})

test('the files stay within their size, keeping the newest lines', async () => {
  const log = openLog(10_000)
  for (let i = 0; i < 100; i++) {
    log.write(Buffer.from(`${i} ${'x'.repeat(400)}\n`))
    await log.flush()
  }
  const sizes = await Promise.all(
    (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size),
  )
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(12_000)
  expect((await read(log)).at(-1)).toMatch(/^99 /)
})

test('an endless line is cut into pieces', async () => {
  const log = openLog()
  log.write(Buffer.alloc(40_000, 'a'))
  log.endLine()
  expect((await read(log)).map((line) => line.length)).toEqual([16_384, 16_384, 7232])
})

test('a guest that prints faster than the disk loses lines, and the log says how many', async () => {
  const log = openLog(10_000_000)
  for (let i = 0; i < 500; i++) log.write(Buffer.from(`${'y'.repeat(10_000)}\n`))
  await log.flush()
  log.write(Buffer.from('calm again\n'))
  const lines = await read(log)
  expect(lines.at(-1)).toBe('calm again')
  expect(lines.at(-2)).toMatch(/^\[\d+ lines were dropped/)
})

test('following yields kept lines, then new ones, until called off', async () => {
  const log = openLog()
  const abort = new AbortController()
  log.write(Buffer.from('old\n'))
  const seen: string[] = []
  for await (const { text } of log.read({ follow: true, signal: abort.signal })) {
    seen.push(text)
    if (text === 'old') log.write(Buffer.from('new\n'))
    else abort.abort()
  }
  expect(seen).toEqual(['old', 'new'])
})
