import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { ext4Image } from './disk-images.ts'
import { ownerHeaders } from './owner-headers.ts'
import { RealNode } from './real-node.ts'
import { squashfs } from './test-node.ts'
import { tracesOf } from './traces.ts'

const source = `
import { appendFileSync, existsSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'

const tries = { read: readFileSync, write: (path: string, text: string) => writeFileSync(path, text) }

function api(method: string, path: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socketPath = process.env.ALEPH_API_UNIX_SOCKET
    const outgoing = request({ socketPath, method, path }, async (answer) => {
      let text = ''
      for await (const chunk of answer) text += chunk
      resolve(text)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

export default async function (request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url)
  const path = searchParams.get('path') ?? ''
  try {
    if (pathname === '/read') return new Response(readFileSync(path, 'utf8'))
    if (pathname === '/append') { appendFileSync(path, searchParams.get('text') ?? ''); return new Response('ok') }
    if (pathname === '/fill') { writeFileSync(path, Buffer.alloc(Number(searchParams.get('mib')) * 1048576)); return new Response('ok') }
    if (pathname === '/mib') { const { blocks, bsize } = statfsSync(path); return new Response(String(Math.round(blocks * bsize / 1048576))) }
    if (pathname === '/exists') return new Response(String(existsSync(path)))
    if (pathname === '/args') return Response.json(process.argv.slice(2))
    if (pathname === '/api') return new Response(await api(request.method, path, await request.text()))
    return new Response('not here', { status: 404 })
  } catch (error) {
    return new Response((error as NodeJS.ErrnoException).code ?? String(error), { status: 500 })
  }
}
`

/** What a disk begins as: smaller than it, and published as qcow2. */
async function library() {
  const image = await ext4Image({ 'shelf/book': 'one page' }, 16, 'qcow2')
  return { ref: node.core.store(image), use_latest: true }
}

let node: RealNode
let folder: string
let hash: string

/** What the program says; an error of the file system is its code. */
async function ask(path: string, init?: RequestInit): Promise<string> {
  return (await node.call(hash, path, init)).text()
}

beforeAll(async () => {
  node = await RealNode.start()
  folder = await mkdtemp(join(tmpdir(), 'aleph-volumes-'))
  await writeFile(join(folder, 'main.ts'), source)
  execFileSync('tar', ['-czf', join(folder, 'code.tar.gz'), '-C', folder, 'main.ts'])
  hash = node.core.program({
    runtime: node.core.store(await readFile(node.images.runtimes.node.path)),
    code: node.core.store(await readFile(join(folder, 'code.tar.gz'))),
    seconds: 20,
    extra: {
      resources: { vcpus: 1, memory: 256, seconds: 20 },
      volumes: [
        {
          ref: node.core.store(await squashfs({ 'model.bin': 'weights' })),
          use_latest: false,
          mount: '/models',
        },
        { ephemeral: true, size_mib: 8, mount: '/scratch' },
        { name: 'state', persistence: 'host', size_mib: 64, mount: '/state' },
        { name: 'library', persistence: 'host', size_mib: 96, mount: '/library', parent: await library() },
      ],
      data: {
        encoding: 'zip',
        mount: '/data',
        ref: node.core.store(writeZip([{ name: 'people.csv', content: 'ada,alan' }])),
        use_latest: false,
      },
    },
  })
}, 600_000)

afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  if (folder) await rm(folder, { recursive: true, force: true })
})

test('published volumes and data are there, and only data may be written over', async () => {
  expect(await ask('/read?path=/models/model.bin')).toBe('weights')
  expect(await ask('/append?path=/models/model.bin&text=x')).toBe('EROFS')
  expect(await ask('/read?path=/data/people.csv')).toBe('ada,alan')
  expect(await ask('/append?path=/data/people.csv&text=,grace')).toBe('ok')
  expect(await ask('/read?path=/data/people.csv')).toBe('ada,alan,grace')
})

test('a throw-away volume takes what it was promised and no more', async () => {
  expect(await ask('/fill?path=/scratch/file&mib=7')).toBe('ok')
  expect(await ask('/fill?path=/scratch/file&mib=9')).toBe('ENOSPC')
})

test('a program uses the cache of its node', async () => {
  expect(await ask('/api?path=/cache/visits', { method: 'PUT', body: '7' })).toBe('true')
  expect(await ask('/api?path=/cache/visits')).toBe('7')
})

test('a volume of its own outlives the VM, kill -9 of it included; the others do not; erase ends it', async () => {
  expect(await ask('/append?path=/state/log&text=one')).toBe('ok')
  expect(await operate('stop')).toBe(200)
  expect(await ask('/append?path=/state/log&text=two')).toBe('ok')
  expect(await ask('/read?path=/state/log')).toBe('onetwo')
  expect(await ask('/exists?path=/scratch/file')).toBe('false')
  expect(await ask('/read?path=/data/people.csv')).toBe('ada,alan')
  expect(await operate('erase')).toBe(200)
  expect(await tracesOf(node.dataDir, hash)).toEqual([])
  expect(await ask('/exists?path=/state/log')).toBe('false')
})

test("a volume with a parent begins as the published image, is as large as ordered, and is the program's own", async () => {
  expect(await ask('/read?path=/library/shelf/book')).toBe('one page')
  expect(Number(await ask('/mib?path=/library'))).toBeGreaterThan(80)
  expect(await ask('/append?path=/library/shelf/book&text=, two pages')).toBe('ok')
  expect(await ask('/append?path=/library/new&text=x')).toBe('ok')
  await operate('stop')
  expect(await ask('/read?path=/library/shelf/book')).toBe('one page, two pages')
  await operate('erase')
  expect(await ask('/read?path=/library/shelf/book')).toBe('one page')
})

async function operate(operation: string): Promise<number> {
  const path = `/control/machine/${hash}/${operation}`
  const headers = ownerHeaders(node.core.owner, path, 'POST')
  return (await fetch(`${node.url}${path}`, { method: 'POST', headers })).status
}
