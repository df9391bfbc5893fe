import { once } from 'node:events'
import { createServer, request as httpRequest, type RequestListener } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { vmHostLabel } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { eventually, TestNode } from './test-node.ts'

let node: TestNode
let customHash = ''
const records: Record<string, string> = {}

const echo: RequestListener = async (request, response) => {
  const body = await text(request).catch(() => 'cut off')
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }))
}

/** A raw request with a Host header of choice, which fetch does not allow. */
function callHost(host: string, path: string, headers: Record<string, string> = {}) {
  const { port } = new URL(node.url)
  const request = httpRequest({ host: '127.0.0.1', port, path, headers: { ...headers, host } })
  request.end()
  return once(request, 'response').then(async ([response]) => ({
    status: response.statusCode as number,
    headers: response.headers as Record<string, string>,
    body: await text(response),
  }))
}

beforeAll(async () => {
  node = await TestNode.start({ records })
  customHash = await node.deploy(echo)
  records['_aleph-id.shop.example.org'] = customHash
})
afterAll(() => node[Symbol.asyncDispose]())

describe('finding the program', () => {
  test('a program answers under /vm/<hash>/ with its path and query untouched', async () => {
    const hash = await node.deploy(echo)
    const response = await node.call(hash, '/a%2Fb/%20c//d?x=b%26c&y=%zz')
    expect(response.status).toBe(200)
    const seen = (await response.json()) as { headers: Record<string, string> }
    expect(seen).toMatchObject({ method: 'GET', url: '/a%2Fb/%20c//d?x=b%26c&y=%zz' })
    expect(seen.headers['x-forwarded-prefix']).toBe(`/vm/${hash}`)
  })

  test('/vm/<hash> without a slash is the program root', async () => {
    const hash = await node.deploy(echo)
    expect(await (await node.call(hash, '')).json()).toMatchObject({ url: '/' })
    expect(await (await node.call(hash, '?q=1')).json()).toMatchObject({ url: '/?q=1' })
  })

  test('a program has a host of its own, named by its hash in base32', async () => {
    const hash = await node.deploy(echo)
    const answer = await callHost(`${vmHostLabel(hash).toUpperCase()}.localhost:4020`, '/about/login?x')
    expect(JSON.parse(answer.body)).toMatchObject({ url: '/about/login?x' })
    expect(answer.headers['aleph-program-itemhash']).toBe(hash)
  })

  test('a custom domain names its program by a TXT record', async () => {
    expect(JSON.parse((await callHost('shop.example.org', '/cart')).body)).toMatchObject({ url: '/cart' })
    const unknown = await callHost('other.example.org', '/cart')
    expect(unknown).toMatchObject({ status: 404 })
    expect(JSON.parse(unknown.body).error).toBe('404: Invalid message reference')
  })

  test('a custom domain shows what its owner’s aggregate says, if the DNS says that it is the owner’s', async () => {
    const hash = await node.deploy(echo)
    const { address } = node.core.owner
    node.core.aggregates.set(`${address}/domains`, {
      'mine.example.org': { type: 'program', message_id: hash },
      'claimed.example.org': { type: 'program', message_id: hash },
      'files.example.org': { type: 'ipfs', message_id: hash },
      'broken.example.org': { type: 'no such type' },
    })
    for (const name of ['mine', 'files', 'broken'])
      records[`_control.${name}.example.org`] = address.toLowerCase()
    expect(JSON.parse((await callHost('mine.example.org', '/cart')).body)).toMatchObject({ url: '/cart' })
    for (const name of ['claimed', 'files', 'broken']) {
      expect(await callHost(`${name}.example.org`, '/')).toMatchObject({ status: 404 })
    }
  })

  test('something that is no item hash is refused with 400', async () => {
    const response = await fetch(`${node.url}/vm/nonsense/`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: 'Invalid message reference: nonsense',
      code: 'invalid_reference',
    })
  })

  test('the answer names the program, its code and the node', async () => {
    const hash = await node.deploy(echo)
    const { headers } = await node.call(hash)
    expect(headers.get('aleph-program-itemhash')).toBe(hash)
    expect(headers.get('aleph-program-code-ref')).toMatch(/^[0-9a-f]{64}$/)
    expect(headers.get('server')).toMatch(/^aleph-vm\/\d/)
  })
})

describe('passing HTTP through', () => {
  test("a program's own 404 keeps its body and headers", async () => {
    const hash = await node.deploy((_request, response) => {
      response.writeHead(404, 'Nope', [
        'X-Own',
        'yes',
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
        'Content-Type',
        'text/x',
      ])
      response.end('my own page')
    })
    const response = await node.call(hash, '/missing')
    expect(response.status).toBe(404)
    expect(response.statusText).toBe('Nope')
    expect(response.headers.get('x-own')).toBe('yes')
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await response.text()).toBe('my own page')
  })

  test('every method with and without a body arrives whole', async () => {
    const hash = await node.deploy(echo)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const sent = await node.call(hash, '/x', { method, body: `body of ${method}` })
      expect(await sent.json()).toMatchObject({ method, body: `body of ${method}` })
      const empty = await node.call(hash, '/x', { method })
      expect(await empty.json()).toMatchObject({ method, body: '' })
    }
    const head = await node.call(hash, '/x', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  test('connection headers stay between neighbours', async () => {
    const hash = await node.deploy(echo)
    const answer = await callHost('localhost', `/vm/${hash}/`, {
      connection: 'keep-alive, x-secret-hop',
      'x-secret-hop': '1',
      'keep-alive': 'timeout=9',
      te: 'trailers',
      'x-forwarded-for': '192.0.2.7',
    })
    const { headers } = JSON.parse(answer.body)
    expect(headers).not.toHaveProperty('x-secret-hop')
    expect(headers).not.toHaveProperty('keep-alive')
    expect(headers).not.toHaveProperty('te')
    expect(headers['x-forwarded-for']).toBe('192.0.2.7, 127.0.0.1')
    expect(headers.host).toBe('localhost')
  })

  test('a call has one id, in the answer and for the program: the caller gives it, or the node does', async () => {
    const hash = await node.deploy(echo)
    const named = await node.call(hash, '/', { headers: { 'x-request-id': 'checkout-4711' } })
    expect(named.headers.get('x-request-id')).toBe('checkout-4711')
    expect(await named.json()).toMatchObject({ headers: { 'x-request-id': 'checkout-4711' } })
    for (const headers of [{}, { 'x-request-id': 'no id at all\t' }]) {
      const unnamed = await node.call(hash, '/', { headers })
      const id = unnamed.headers.get('x-request-id')
      expect(id).toMatch(/^[0-9a-f-]{36}$/)
      expect(await unnamed.json()).toMatchObject({ headers: { 'x-request-id': id } })
    }
  })

  test('the node names its own answers too, and its refusals', async () => {
    const headers = { 'x-request-id': 'why-is-it-not-there' }
    for (const path of ['/about/usage/system', `/vm/${'0'.repeat(64)}/`, '/nowhere']) {
      const answer = await fetch(`${node.url}${path}`, { headers })
      expect(answer.headers.get('x-request-id')).toBe('why-is-it-not-there')
      await answer.body?.cancel()
    }
  })

  test('a megabyte passes both ways at once while both sides are still talking', async () => {
    const hash = await node.deploy((request, response) => {
      response.writeHead(200)
      request.pipe(response)
    })
    const request = httpRequest(`${node.url}/vm/${hash}/`, { method: 'POST' })
    request.write('first')
    const [response] = await once(request, 'response')
    expect(String((await once(response, 'data'))[0])).toBe('first')
    const rest = text(response)
    request.end(Buffer.alloc(1024 * 1024, 'x'))
    expect((await rest).length).toBe(1024 * 1024)
  })

  test('server-sent events arrive one by one, headers before the first', async () => {
    let send: (event: string) => void = () => undefined
    const hash = await node.deploy((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
      send = (event) => response.write(`data: ${event}\n\n`)
    })
    const response = await node.call(hash)
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    for (const event of ['one', 'two']) {
      send(event)
      expect((await reader.read()).value).toBe(`data: ${event}\n\n`)
    }
    await reader.cancel()
  })

  test('a WebSocket talks with the program', async () => {
    const server = createServer()
    new WebSocketServer({ server }).on('connection', (socket, request) => {
      socket.send(`hello ${request.url}`)
      socket.on('message', (message) => socket.send(`echo ${message}`))
    })
    const hash = await node.deploy(server)
    const socket = new WebSocket(`${node.url.replace('http', 'ws')}/vm/${hash}/chat?room=1`)
    expect(String((await once(socket, 'message'))[0])).toBe('hello /chat?room=1')
    socket.send('x'.repeat(100_000))
    expect(String((await once(socket, 'message'))[0])).toBe(`echo ${'x'.repeat(100_000)}`)
    socket.close()
    await once(socket, 'close')
  })

  test('a program that declines an upgrade answers in plain HTTP', async () => {
    const hash = await node.deploy((_request, response) => response.writeHead(418).end('no sockets'))
    const socket = new WebSocket(`${node.url.replace('http', 'ws')}/vm/${hash}/`)
    const [, response] = await once(socket, 'unexpected-response')
    expect([response.statusCode, await text(response)]).toEqual([418, 'no sockets'])
  })

  test('an offer of HTTP/2 does not keep a request from its answer', async () => {
    const hash = await node.deploy(echo)
    const answer = await callHost('localhost', `/vm/${hash}/`, {
      connection: 'Upgrade, HTTP2-Settings',
      upgrade: 'h2c',
    })
    expect(answer.status).toBe(200)
  })

  test('when the client goes, the connection to the program ends', async () => {
    let ended = false
    const server = createServer((_request, response) => response.writeHead(200).write('...'))
    server.on('connection', (stream) => {
      stream.on('end', () => {
        ended = true
      })
    })
    const hash = await node.deploy(server)
    const abort = new AbortController()
    await node.call(hash, '/', { signal: abort.signal })
    abort.abort()
    await eventually(() => ended)
  })

  test('connections to the program are used again', async () => {
    let connections = 0
    const server = createServer((_request, response) => response.end('ok'))
    server.on('connection', () => connections++)
    const hash = await node.deploy(server)
    for (let i = 0; i < 5; i++) expect(await (await node.call(hash)).text()).toBe('ok')
    expect(connections).toBe(1)
  })

  test('a kept connection the program closed meanwhile costs the client nothing', async () => {
    const hash = await node.deploy((request, response) => {
      response.end('ok', () => setImmediate(() => request.socket.destroy()))
    })
    for (let i = 0; i < 10; i++) expect(await (await node.call(hash)).text()).toBe('ok')
  })

  test('a kept connection that breaks under the next request costs the client nothing either', async () => {
    const served = new WeakSet<object>()
    const hash = await node.deploy((request, response) => {
      if (served.has(request.socket)) return request.socket.destroy()
      served.add(request.socket)
      return response.end('ok')
    })
    for (let i = 0; i < 5; i++) expect(await (await node.call(hash)).text()).toBe('ok')
  })
})

describe('programs that misbehave', () => {
  test('no answer within resources.seconds is a 504 and the program lives on', async () => {
    const hash = await node.deploy(
      (request, response) => {
        if (request.url === '/fast') response.end('fast')
      },
      { seconds: 1 },
    )
    const slow = await node.call(hash, '/slow')
    expect(slow.status).toBe(504)
    expect(await slow.json()).toMatchObject({
      error: 'Program did not respond within `resource.seconds`',
      code: 'program_timeout',
    })
    expect(await (await node.call(hash, '/fast')).text()).toBe('fast')
  })

  test('the deadline is for the first byte, not for the whole answer', async () => {
    const hash = await node.deploy(
      (_request, response) => {
        response.write('start ')
        setTimeout(() => response.end('end'), 1_300)
      },
      { seconds: 1 },
    )
    expect(await (await node.call(hash)).text()).toBe('start end')
  })

  test('a program that hangs up without an answer is a 502 that says so', async () => {
    const hash = await node.deploy((request) => request.socket.destroy())
    for (const init of [undefined, { method: 'POST', body: 'x' }]) {
      const response = await node.call(hash, '/', init)
      expect(response.status).toBe(502)
      expect(await response.json()).toMatchObject({ code: 'program_crashed' })
    }
  })

  test('a program that ends before it listens is a 502 with its last words', async () => {
    const hash = await node.deploy({ fails: 'exits', code: 1, prints: 'Error: cannot find module left-pad' })
    const response = await node.call(hash)
    expect(response.status).toBe(502)
    const body = (await response.json()) as { log: string }
    expect(body).toMatchObject({ code: 'program_failed', retryable: true })
    expect(body.log).toContain('cannot find module left-pad')
    expect(node.starts.filter((id) => id === hash)).toHaveLength(1)
    expect((await node.call(hash)).status).toBe(502)
    expect(node.starts.filter((id) => id === hash)).toHaveLength(1)
  })

  test('a program that never starts is not tried at every call, and says when it is', async () => {
    const hash = await node.deploy({ fails: 'exits', code: 1, prints: 'no database' })
    const first = await node.call(hash)
    const second = await node.call(hash)
    expect([first.status, second.status]).toEqual([502, 502])
    expect(node.starts.filter((id) => id === hash)).toHaveLength(1)
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(((await second.json()) as { log: string }).log).toContain('no database')
  })

  test('a VM that died is started again by the next call', async () => {
    const hash = await node.deploy((_request, response) => response.end('alive'))
    expect(await (await node.call(hash)).text()).toBe('alive')
    node.hypervisor.crash(hash)
    await eventually(async () => (await node.call(hash)).status === 200)
    const executions = await (await fetch(`${node.url}/v2/about/executions/list`)).json()
    expect((executions as Record<string, unknown>)[hash]).toMatchObject({
      running: true,
      start: { kind: 'restored' },
    })
  })

  test('an answer that is not HTTP is a 502', async () => {
    const hash = await node.deploy((request) => void request.socket.end('this is not HTTP at all\r\n\r\n'))
    const response = await node.call(hash)
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ code: 'program_failed' })
  })

  test('a program that does not take HTTP calls is not called', async () => {
    const hash = await node.deploy(echo, { http: false })
    const response = await node.call(hash)
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ code: 'http_not_enabled' })
  })

  test('half a request and a hang-up leave the node well', async () => {
    const hash = await node.deploy(echo)
    const { port } = new URL(node.url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(`POST /vm/${hash}/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this`)
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    expect((await node.call(hash)).status).toBe(200)
  })
})

test('many first callers share one start', async () => {
  const hash = await node.deploy((_request, response) => response.end('ok'))
  const answers = await Promise.all(Array.from({ length: 20 }, () => node.call(hash)))
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
  expect(node.starts.filter((id) => id === hash)).toHaveLength(1)
})
