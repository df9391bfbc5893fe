import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { buildGuestImages, type GuestImages } from '@aleph-ts/guest'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  QemuHypervisor,
  type RunningVm,
  Supervisor,
  type VmSpec,
  VmStartError,
} from '../../src/supervisor/index.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../../../..')
const log = pino({ level: 'silent' })

/** Draws from every source of randomness before the snapshot is taken, so that all their stores are filled. */
const source = `
import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
const draw = () => ({
  bytes: randomBytes(16).toString('hex'),
  uuid: randomUUID(),
  webUuid: crypto.randomUUID(),
  webValues: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex'),
  kernel: readFileSync('/proc/sys/kernel/random/uuid', 'utf8').trim(),
})
const atStart = draw()
export default (): Response => Response.json({ atStart, drawn: draw(), time: Date.now() / 1000 })
`

interface Answer {
  atStart: Record<string, string>
  drawn: Record<string, string>
  time: number
}

let dataDir: string
let images: GuestImages
let supervisor: Supervisor

beforeAll(async () => {
  images = await buildGuestImages({ cacheDir: process.env.ALEPH_CACHE_DIR ?? join(root, '.cache/guest') })
  dataDir = await mkdtemp(join(tmpdir(), 'aleph-vm-test-'))
  const hypervisor = await QemuHypervisor.create({ dataDir, images, log })
  supervisor = await Supervisor.create({ dataDir, hypervisor, log })
  await supervisor.start()
}, 400_000)

afterAll(async () => {
  await supervisor?.stopAll()
  await rm(dataDir, { recursive: true, force: true })
})

test('clones of one snapshot share their past and nothing of their future', async () => {
  const first = await supervisor.ensureRunning(await program('first', source))
  expect(first.info.startKind).toBe('cold')
  const memory = await memoryHashes()

  const second = await supervisor.ensureRunning(await program('second', source))
  const third = await supervisor.ensureRunning(await program('third', source))
  expect([second.info.startKind, third.info.startKind]).toEqual(['restored', 'restored'])

  const answers = await Promise.all([first, second, third].map(ask))
  const [one, two, three] = answers as [Answer, Answer, Answer]
  expect(two.atStart).toEqual(one.atStart)
  for (const kind of Object.keys(one.drawn)) {
    expect(new Set([one.drawn[kind], two.drawn[kind], three.drawn[kind]]), kind).toHaveLength(3)
  }
  expect(memory).toHaveLength(1)
  expect(await memoryHashes()).toEqual(memory)
})

test('a clone has the time of now, not that of its snapshot', async () => {
  const { time } = await ask(await supervisor.ensureRunning(await program('clock', source)))
  expect(Math.abs(time - Date.now() / 1000)).toBeLessThan(2)
})

test('other variables are another snapshot', async () => {
  const spec = { ...(await program('variables', source)), env: { OTHER: 'yes' } }
  expect((await supervisor.ensureRunning(spec)).info.startKind).toBe('cold')
})

test('a VM that is killed from outside is noticed, and starts again when asked', async () => {
  const spec = await program('killed', source)
  const { info } = await supervisor.ensureRunning(spec)
  const ended = once(supervisor, 'state')
  process.kill(info.pid!, 'SIGKILL')
  await ended
  await expect.poll(() => supervisor.get('killed')?.state).toBe('failed')
  expect(await ask(await supervisor.ensureRunning(spec))).toHaveProperty('drawn')
})

test('a program that ends at start gives an error with what it said last', async () => {
  const spec = await program('ends', `console.error('I cannot go on'); process.exit(3)`)
  const error = await supervisor.ensureRunning(spec).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(VmStartError)
  expect(error).toMatchObject({ code: 'program_exited', log: expect.stringContaining('I cannot go on') })
})

async function program(id: string, code: string): Promise<VmSpec> {
  const folder = join(dataDir, 'code', id)
  const image = join(dataDir, 'code', `${id}.squashfs`)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'index.ts'), code)
  await run('mksquashfs', [
    folder,
    image,
    '-all-root',
    '-noappend',
    '-all-time',
    '0',
    '-mkfs-time',
    '0',
    '-quiet',
  ])
  const { path, sha256, command } = images.runtimes.node
  return {
    id,
    kind: 'on-demand',
    vcpus: 1,
    memoryMiB: 256,
    runtime: { path, sha256, command },
    code: { path: image, sha256: createHash('sha256').update(code).digest('hex') },
    entrypoint: 'index.ts',
    env: {},
    hostname: 'guest',
    internet: false,
    templateKey: 'test',
  }
}

async function ask(vm: RunningVm): Promise<Answer> {
  const agent = new Agent()
  agent.createConnection = () => vm.openHttp() as Duplex
  const sent = request({ agent, path: '/', headers: { host: 'guest' } }).end()
  const [response] = await once(sent, 'response')
  return JSON.parse(await text(response)) as Answer
}

/** Hashes of all template memories. */
async function memoryHashes(): Promise<string[]> {
  const folder = join(dataDir, 'templates')
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('memory'))
  return Promise.all(
    files.map(async (name) => {
      const hash = createHash('sha256')
      await pipeline(createReadStream(join(folder, name)), hash)
      return hash.digest('hex')
    }),
  )
}
