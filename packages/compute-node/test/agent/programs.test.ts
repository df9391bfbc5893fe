import { createHash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { vmHostLabel } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FakeCoreNode, testAccount } from '../../src/testing/fake-core-node.ts'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { eventually, squashfs, TestNode } from './test-node.ts'

let node: TestNode
let evil: FakeCoreNode

const ok = (_request: unknown, response: { end(text: string): void }) => void response.end('ok')

beforeAll(async () => {
  evil = await FakeCoreNode.start()
  node = await TestNode.start()
})
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  await evil[Symbol.asyncDispose]()
})

async function callWith(
  zip: Buffer,
  options: { entrypoint?: string; encoding?: 'plain' | 'zip' | 'squashfs' } = {},
) {
  return node.refusal(await node.deploy(ok, { code: node.core.store(zip), ...options }))
}

describe('code', () => {
  test('zip, plain and squashfs code all run', async () => {
    const zip = node.core.store(writeZip([{ name: 'app/main.py', content: 'app = 1' }]))
    const plain = node.core.store(Buffer.from('app = 1'))
    const image = node.core.store(await squashfs({ 'main.py': 'app = 1' }))
    for (const [encoding, code, entrypoint] of [
      ['zip', zip, 'app.main:app'],
      ['plain', plain, 'app.main:app'],
      ['plain', plain, 'app'],
      ['squashfs', image, 'main:app'],
    ] as const) {
      const hash = await node.deploy(ok, { encoding, code, entrypoint })
      expect(await (await node.call(hash)).text()).toBe('ok')
    }
  })

  test('variables, runtime environment, command and host name reach the guest', async () => {
    const hash = await node.deploy(ok, { variables: { GREETING: 'hello' } })
    await node.call(hash)
    expect(node.machines.get(hash)).toMatchObject({
      hostname: vmHostLabel(hash),
      env: { GREETING: 'hello', RUNTIME: 'test', ALEPH_ADDRESS_TO_USE: vmHostLabel(hash) },
      command: ['/bin/run', 'main.ts'],
      internet: false,
    })
  })

  test('bytes that are no zip are a broken archive', async () => {
    expect(await callWith(Buffer.from('not a zip at all'))).toMatchObject({
      status: 422,
      code: 'broken_archive',
    })
  })

  test('a zip cut short is a broken archive', async () => {
    const zip = writeZip([{ name: 'main.ts', content: 'x'.repeat(5000) }])
    expect(await callWith(zip.subarray(0, zip.length - 30))).toMatchObject({ code: 'broken_archive' })
  })

  test('squashfs code that is none is a broken archive', async () => {
    const image = await squashfs({ 'main.ts': 'x'.repeat(50_000) })
    for (const bytes of [Buffer.from('hsqs'), image.subarray(0, 200)]) {
      expect(await callWith(bytes, { encoding: 'squashfs' })).toMatchObject({
        status: 422,
        code: 'broken_archive',
      })
    }
  })

  test.each([
    ['a name that climbs out', [{ name: '../escape.txt', content: 'x' }]],
    ['a name that climbs out from within', [{ name: 'a/../../escape.txt', content: 'x' }]],
    ['an absolute name', [{ name: '/etc/cron.d/x', content: 'x' }]],
    ['a backslash name', [{ name: '..\\escape.txt', content: 'x' }]],
    [
      'a link to an absolute path',
      [
        { name: 'a', content: 'x' },
        { name: 'l', content: '/etc', mode: 0o120777 },
      ],
    ],
    [
      'a link that climbs out',
      [
        { name: 'a', content: 'x' },
        { name: 'd/l', content: '../../x', mode: 0o120777 },
      ],
    ],
    [
      'a file written through a link',
      [
        { name: 'l', content: 'target', mode: 0o120777 },
        { name: 'l/file', content: 'x' },
      ],
    ],
    [
      'a link behind a link',
      [
        { name: 'x/y/real', content: 'x' },
        { name: 'x/y/b', content: '..', mode: 0o120777 },
        { name: 'x/y/b/l', content: '../../z', mode: 0o120777 },
      ],
    ],
    [
      'the same name twice',
      [
        { name: 'a', content: '1' },
        { name: 'a', content: '2' },
      ],
    ],
    ['a device', [{ name: 'null', mode: 0o020666 }]],
    ['an encrypted entry', [{ name: 'a', content: 'x', flags: 1 }]],
    ['a lie about the size', [{ name: 'a', content: 'x'.repeat(100), claimedSize: 5 }]],
    ['no file', [{ name: 'empty/' }]],
  ])('an archive with %s is refused and leaves nothing behind', async (_what, entries) => {
    expect(await callWith(writeZip(entries))).toMatchObject({ status: 422, code: 'broken_archive' })
    const names = await readdir(join(node.dataDir, 'cache/code'))
    expect(names.filter((name) => !name.endsWith('.squashfs'))).toEqual([])
  })

  test('an archive that unpacks to far more than its size is refused', async () => {
    const bomb = writeZip([{ name: 'zeros', content: Buffer.alloc(4 * 1024 * 1024) }])
    expect(await callWith(bomb)).toMatchObject({ status: 413, code: 'file_too_large' })
  })

  test('a link inside the archive is fine', async () => {
    const zip = writeZip([
      { name: 'lib/real.ts', content: 'x' },
      { name: 'main.ts', content: 'lib/real.ts', mode: 0o120777 },
    ])
    const hash = await node.deploy(ok, { code: node.core.store(zip) })
    expect((await node.call(hash)).status).toBe(200)
  })

  test('an entrypoint outside the program is refused', async () => {
    const answer = await callWith(Buffer.from('x'), { encoding: 'plain', entrypoint: '../../etc/passwd' })
    expect(answer).toMatchObject({ status: 422, code: 'invalid_program' })
  })

  test('code above the limit is refused', async () => {
    const answer = await callWith(Buffer.alloc(10_000_001, 1), { encoding: 'plain' })
    expect(answer).toMatchObject({ status: 413, code: 'file_too_large' })
  })

  test('code no core node knows is a 400 that says so', async () => {
    const hash = await node.deploy(ok, { code: 'cd'.repeat(32) })
    const answer = await node.refusal(hash)
    expect(answer).toMatchObject({ status: 400, code: 'file_not_found' })
    expect(answer.error).toContain('Code, runtime or data not available')
  })
})

describe('runtimes', () => {
  test.each([
    ['bytes that are no image', async () => Buffer.from('nothing')],
    ['an image without a manifest', async () => squashfs({ 'etc/hostname': 'x' })],
    ['a manifest that is none', async () => squashfs({ 'aleph/runtime.json': '{"name":1}' })],
    ['a manifest that is not JSON', async () => squashfs({ 'aleph/runtime.json': 'hello' })],
  ])('%s is an unknown runtime', async (_what, make) => {
    const hash = await node.deploy(ok, { runtime: node.core.store(await make()) })
    expect(await node.refusal(hash)).toMatchObject({ status: 422, code: 'unknown_runtime' })
  })
})

describe('amends', () => {
  async function amended(useLatestCode: boolean, amend: (ref: string) => void) {
    const ref = node.core.store(writeZip([{ name: 'main.ts', content: 'old' }]))
    amend(ref)
    const hash = await node.deploy(ok, { code: ref, useLatestCode })
    return { ref, used: (await node.call(hash)).headers.get('aleph-program-code-ref') }
  }
  const newer = () => writeZip([{ name: 'main.ts', content: `new ${Math.random()}` }])

  test('with use_latest the owner’s newest version runs, without it the named one', async () => {
    let latest = ''
    const amend = (ref: string) => {
      latest = node.core.store(newer(), { ref })
    }
    expect((await amended(true, amend)).used).toBe(latest)
    const { ref, used } = await amended(false, amend)
    expect(used).toBe(ref)
  })

  test('a version signed by somebody else in the owner’s name is ignored unless the owner allowed it', async () => {
    const friend = testAccount()
    let latest = ''
    const amend = (ref: string) => {
      latest = node.core.store(newer(), { ref, address: node.core.owner.address }, friend)
    }
    const refused = await amended(true, amend)
    expect(refused.used).toBe(refused.ref)
    node.core.aggregates.set(`${node.core.owner.address}/security`, {
      authorizations: [{ address: friend.address }],
    })
    expect((await amended(true, amend)).used).toBe(latest)
  })
})

describe('several core nodes', () => {
  async function withServers(check: (self: TestNode) => Promise<void>) {
    await using self = await TestNode.start({
      environment: { ALEPH_VM_API_SERVERS: `${evil.url},${node.core.url}` },
    })
    for (const [key, value] of self.core.messages) node.core.messages.set(key, value)
    await check(self)
  }
  async function publish() {
    return node.deploy(ok, { code: node.core.store(newCode()) })
  }
  const newCode = () => writeZip([{ name: 'main.ts', content: `code ${Math.random()}` }])

  test('wrong bytes from one server are refused and the right ones taken from the next', async () => {
    await withServers(async (self) => {
      const hash = await publish()
      evil.intercept = (request, response) => {
        if (!request.url?.includes('/storage/raw/')) return false
        response.end('tampered')
        return true
      }
      self.programs.set(hash, ok)
      expect((await self.call(hash)).status).toBe(200)
      const files = await readdir(join(self.dataDir, 'cache/files'))
      expect(files.every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true)
      expect(evil.requests.some((path) => path.includes('/storage/raw/'))).toBe(true)
    })
  })

  test('a server that invents messages or fails is passed over', async () => {
    for (const answer of ['{"status":"processed","message":{"sender":"0x0"}}', 'not json', '[]', 'null']) {
      await withServers(async (self) => {
        const hash = await publish()
        evil.intercept = (_request, response) => {
          response.end(answer)
          return true
        }
        expect((await self.call(hash)).status).toBe(200)
      })
    }
  })

  test('a server that breaks off in the middle is passed over', async () => {
    await withServers(async (self) => {
      const hash = await publish()
      evil.intercept = (_request, response) => {
        response.writeHead(200, { 'content-length': 1000 })
        response.write('some')
        setTimeout(() => response.destroy(), 10)
        return true
      }
      expect((await self.call(hash)).status).toBe(200)
    })
  })

  test('no server at all is a 503 that invites to retry; what is cached still runs', async () => {
    const hash = await publish()
    await node.call(hash)
    await using lonely = await TestNode.start()
    const known = await lonely.deploy(ok)
    await lonely.call(known)
    lonely.hypervisor.crash(known)
    lonely.core.intercept = (request) => {
      request.socket.destroy()
      return true
    }
    await eventually(async () => (await lonely.call(known)).status === 200)
    const response = await lonely.call('ef'.repeat(32))
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBeTruthy()
    expect(await response.json()).toMatchObject({ code: 'core_nodes_unreachable', retryable: true })
  })

  test('one file asked for by many is downloaded once', async () => {
    const code = node.core.store(newCode())
    const fileHash = (node.core.messages.get(code)!.content as { item_hash: string }).item_hash
    const hashes = await Promise.all(Array.from({ length: 5 }, () => node.deploy(ok, { code })))
    await Promise.all(hashes.map((hash) => node.call(hash)))
    expect(node.core.requests.filter((path) => path.endsWith(fileHash))).toHaveLength(1)
  })
})

test('a damaged message cache is noticed and fetched anew', async () => {
  const hash = await node.deploy(ok)
  expect((await node.call(hash)).status).toBe(200)
  await writeFile(join(node.dataDir, 'cache/messages', `${hash}.json`), '{"envelope":{},"text":"{}"}')
  await node.restart()
  expect((await node.call(hash)).status).toBe(200)
  expect(createHash('sha256').update(node.core.messages.get(hash)!.message.item_content!).digest('hex')).toBe(
    hash,
  )
})
