import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { RealNode } from './real-node.ts'
import { eventually } from './test-node.ts'

const application = `
import os
started = False
heard = []

async def app(scope, receive, send):
    global started
    if scope["type"] == "lifespan":
        await receive()
        started = True
        await send({"type": "lifespan.startup.complete"})
        return
    if scope["type"] == "aleph.message":
        heard.append(scope["body"])
        return
    body, more = b"", True
    while more:
        event = await receive()
        body += event["body"]
        more = event["more_body"]
    if scope["path"] == "/heard":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": ",".join(heard).encode()})
        return
    if scope["path"] == "/broken":
        raise RuntimeError("broken on purpose")
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-query", scope["query_string"])]})
    await send({"type": "http.response.body", "body": scope["path"].encode(), "more_body": True})
    facts = [os.environ["ALEPH_INIT_VERSION"], os.environ["GREETING"], str(started), os.path.realpath("/opt/code")]
    await send({"type": "http.response.body", "body": b"|" + body + b"|" + ",".join(facts).encode()})
`

let node: RealNode
let folder: string
let runtime: string

/** A runtime of the network's first nodes: Python, an init of its own, and nothing of ours. */
beforeAll(async () => {
  node = await RealNode.start()
  folder = await mkdtemp(join(tmpdir(), 'aleph-legacy-'))
  const root = join(folder, 'root')
  execFileSync('unsquashfs', ['-q', '-n', '-d', root, node.images.runtimes.python.path])
  await rm(join(root, 'aleph'), { recursive: true })
  execFileSync('mkdir', ['-p', join(root, 'root'), join(root, 'opt/code')])
  await writeFile(join(root, 'root/init1.py'), 'raise SystemExit("must not run")')
  const image = join(folder, 'legacy.squashfs')
  execFileSync('mksquashfs', [root, image, '-quiet', '-no-progress', '-all-root', '-comp', 'gzip'])
  runtime = node.core.store(await readFile(image))
})
afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

test('an ASGI application is served in a runtime that brings no server', async () => {
  const hash = node.core.program({
    runtime,
    code: node.core.store(writeZip([{ name: 'main.py', content: application }])),
    entrypoint: 'main:app',
    seconds: 20,
    variables: { GREETING: 'hello' },
  })
  const answer = await node.call(hash, '/a%20b?x=1%26y', { method: 'POST', body: 'sent' })
  expect([answer.status, answer.headers.get('x-query')]).toEqual([201, 'x=1%26y'])
  expect(await answer.text()).toBe('/a b|sent|2.0.0,hello,True,/code')
  expect((await node.call(hash, '/broken')).status).toBe(500)
  const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => node.call(hash, `/${index}`)))
  expect(await Promise.all(answers.map((each) => each.text()))).toEqual(
    answers.map((_, index) => `/${index}||2.0.0,hello,True,/code`),
  )
})

test('an application there gets the messages it subscribed to as events', async () => {
  const hash = node.core.program({
    runtime,
    code: node.core.store(writeZip([{ name: 'main.py', content: application }])),
    entrypoint: 'main:app',
    seconds: 20,
    variables: { GREETING: 'hello' },
    extra: { on: { http: true, persistent: false, message: [{ type: 'POST', content: { type: 'chat' } }] } },
  })
  expect(await node.allocate({ on_demand_vms: [hash] })).toMatchObject({ success: true })
  await eventually(() => node.core.followerCount > 0)
  node.core.publish('POST', { type: 'chat', content: 'from the network' })
  await eventually(async () => (await node.call(hash, '/heard')).text().then((text) => text !== ''))
  const heard = await (await node.call(hash, '/heard')).text()
  expect(JSON.parse(heard)).toMatchObject({ type: 'POST', content: { content: 'from the network' } })
})
