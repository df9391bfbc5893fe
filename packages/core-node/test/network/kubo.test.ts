import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Kubo } from '../../src/content/kubo.ts'
import { PeerContentFetcher } from '../../src/content/peer-content-fetcher.ts'
import { registeredRequests } from '../../src/registered-request.ts'
import { FileStore } from '../../src/storage/file-store.ts'

const run = promisify(execFile)
const isHere = spawnSync('ipfs', ['version']).status === 0

/** Against a real Kubo; skipped where `ipfs` is not on the PATH. */
describe.skipIf(!isHere)('a real Kubo', () => {
  let folder: string
  let daemon: ChildProcess
  let kubo: Kubo
  const ipfs = async (...args: string[]) => (await run('ipfs', args, { env: env() })).stdout.trim()
  const env = () => ({ ...process.env, IPFS_PATH: join(folder, 'ipfs') })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aleph-kubo-'))
    await ipfs('init', '--profile', 'test')
    daemon = spawn('ipfs', ['daemon', '--offline'], { env: env(), stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    while (!said.includes('Daemon is ready')) said += (await once(daemon.stdout!, 'data')).toString()
    const [, , host, , port] = (await readFile(join(folder, 'ipfs', 'api'), 'utf8')).trim().split('/')
    kubo = new Kubo({ url: `http://${host}:${port}`, stallMs: 5_000 })
  }, 60_000)
  afterAll(async () => {
    daemon.kill()
    await once(daemon, 'exit')
    await rm(folder, { recursive: true })
  })

  test('gives a folder by its CID, which is the one we compute', async () => {
    await mkdir(join(folder, 'site', 'img'), { recursive: true })
    const image = Buffer.alloc(700_000, 'image')
    await writeFile(join(folder, 'site', 'index.html'), '<h1>hello</h1>')
    await writeFile(join(folder, 'site', 'img', 'image'), image)
    const cid = await ipfs('add', '--recursive', '--quieter', '--cid-version=1', join(folder, 'site'))
    const fileStore = await FileStore.create(join(folder, 'files'))
    const logger = pino({ level: 'silent' })
    await using fetcher = new PeerContentFetcher({
      fileStore,
      logger,
      kubo,
      open: registeredRequests({ allowPrivate: true }).open,
      sources: async () => [],
    })
    const maxBytes = 10_000_000
    expect(await fetcher.fetch(cid, 'ipfs', { maxBytes })).toBe('stored')
    const own = await FileStore.create(join(folder, 'own'))
    const files = [
      { path: 'index.html', bytes: [Buffer.from('<h1>hello</h1>')] },
      { path: 'img/image', bytes: [image] },
    ]
    expect(await own.addIpfsFolder(files, { cidVersion: 1, maxBytes })).toMatchObject({ cid })
    expect(await own.stat(cid)).toEqual(await fileStore.stat(cid))
  })
})
