import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createHandlerServer } from '../runtimes/node/handler-server.mjs'
import { replaceWebGlobals } from '../runtimes/node/web-globals.mjs'

type Handler = (request: Request) => Response | Promise<Response>

const nativeFetch = globalThis.fetch
const native = { Request: globalThis.Request, Response: globalThis.Response }
const nativeJson = native.Response.json
const servers: Server[] = []

beforeAll(() => replaceWebGlobals())

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
  vi.restoreAllMocks()
})

/** Serves with the handler; returns where. */
async function serve(handler: Handler): Promise<string> {
  const server = createHandlerServer(handler)
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What the handler's client gets. */
async function call(handler: Handler, init?: RequestInit & { path?: string }) {
  const response = await nativeFetch((await serve(handler)) + (init?.path ?? '/'), init)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** The same, but with bytes and headers as they are on the wire. */
async function callRaw(handler: Handler, method = 'GET'): Promise<IncomingMessage & { body: string }> {
  const request = httpRequest(await serve(handler), { method, agent: false }).end()
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  return Object.assign(answer, { body: (await answer.setEncoding('utf8').toArray()).join('') })
}

const post = { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } }

describe('the request that a handler gets', () => {
  it('is a Request, with nothing of its own to see', async () => {
    const { text } = await call((request) =>
      Response.json([
        request instanceof Request,
        request instanceof native.Request,
        request.constructor === Request,
        String(request),
        Object.keys(request),
        Request.name,
        Object.hasOwn(Object.getPrototypeOf(request), 'constructor'),
      ]),
    )
    expect(JSON.parse(text)).toEqual([true, true, true, '[object Request]', [], 'Request', false])
  })

  it('has every property that one of undici has, whichever is read first', async () => {
    const names: string[] = []
    for (const name in new native.Request('http://localhost')) names.push(name)
    const read = (request: Request, name: string) => {
      const value = (request as unknown as Record<string, unknown>)[name]
      if (value instanceof Headers) return [...value].filter(([key]) => key !== 'content-length')
      return typeof value === 'object' || typeof value === 'function' ? typeof value : value
    }
    for (const first of names) {
      const { text } = await call(
        (request) => {
          read(request, first)
          return Response.json(names.map((name) => [name, read(request, name)]))
        },
        { ...post, path: '/path?query#fragment', headers: { 'x-one': '1' } },
      )
      const { url, headers } = Object.fromEntries(JSON.parse(text))
      const model = new native.Request(url, { method: 'POST', body: post.body, headers })
      expect(JSON.parse(text), `${first} was read first`).toEqual(
        names
          .map((name) => [name, read(model, name)])
          .map(([name, value]) => (value === undefined ? [name, null] : [name, value])),
      )
    }
  })

  it('shows itself as one of undici', async () => {
    const { text } = await call((request) => new Response(inspect(request)))
    expect(text).toMatch(/^Request \{\n {2}method: 'GET',\n {2}url: 'http:\/\/127/)
    expect(text).toContain('AbortSignal { aborted: false }')
  })

  it('keeps headers that were changed, in copies too', async () => {
    const { text } = await call((request) => {
      request.clone()
      request.headers.set('x-user', 'ada')
      const names = [request.headers, request.clone().headers, new Request(request).headers]
      return Response.json(names.map((headers) => headers.get('x-user')))
    })
    expect(JSON.parse(text)).toEqual(['ada', 'ada', 'ada'])
  })

  it.each(['text', 'json', 'bytes', 'arrayBuffer', 'blob', 'formData'] as const)(
    'reads its body as undici would with %s, and refuses to read it twice',
    async (method) => {
      const body = method === 'formData' ? new URLSearchParams({ a: '1' }) : '\ufeff{"a":"\u00e9"}'
      const seen = async (request: Request) => {
        const before = request.bodyUsed
        const value = await request[method]()
        const shown = value instanceof Blob ? [await value.text(), value.type] : inspect(value)
        const again = await request[method]().catch(String)
        return JSON.stringify([before, shown, request.bodyUsed, again, request.body?.locked])
      }
      const { text } = await call(async (request) => new Response(await seen(request)), {
        method: 'POST',
        body,
      })
      const model = new native.Request('http://localhost', { method: 'POST', body })
      expect(text).toBe(await seen(model))
    },
  )

  it('has no body when it is a GET, and an empty one when it is an empty POST', async () => {
    const seen: Handler = async (request) => {
      const body = String(request.body)
      await sleep(20)
      return Response.json([body, await request.text()])
    }
    expect(JSON.parse((await call(seen)).text)).toEqual(['null', ''])
    expect(JSON.parse((await call(seen, { method: 'POST' })).text)).toEqual(['[object ReadableStream]', ''])
  })

  it('keeps its body for who reads it late, even after the answer', async () => {
    const late = Promise.withResolvers<string>()
    const handler: Handler = (request) => {
      setTimeout(() => request.text().then(late.resolve, late.reject), 100)
      return new Response('accepted')
    }
    expect((await call(handler, post)).text).toBe('accepted')
    expect(await late.promise).toBe(post.body)
  })

  it('can be cloned, read partly, and refuses a clone once it is read', async () => {
    const { text } = await call(async (request) => {
      const [whole, parts] = [await request.clone().text(), await new Response(request.body).text()]
      const refused = await (async () => request.clone())().catch((error: Error) => error.name)
      return Response.json([whole, parts, refused])
    }, post)
    expect(JSON.parse(text)).toEqual([post.body, post.body, 'TypeError'])
  })

  it('is passed on by fetch, with and without a body, and as a model for another request', async () => {
    const target = await serve(async (request) =>
      Response.json([
        request.method,
        new URL(request.url).pathname,
        request.headers.get('x-a'),
        await request.text(),
      ]),
    )
    const ways: Record<string, Handler> = {
      'fetch(url, request)': (request) => fetch(`${target}/one`, request),
      'fetch(new Request)': (request) => fetch(new Request(`${target}/one`, request)),
      subclass: (request) => fetch(new (class Own extends Request {})(`${target}/one`, request)),
    }
    for (const [name, way] of Object.entries(ways)) {
      const posted = await call(way, { ...post, duplex: 'half', headers: { 'x-a': '7' } } as RequestInit)
      expect(JSON.parse(posted.text), name).toEqual(['POST', '/one', '7', post.body])
      const got = await call(way, { headers: { 'x-a': '7' } })
      expect(JSON.parse(got.text), name).toEqual(['GET', '/one', '7', ''])
    }
    const itself: Handler = async (request) => {
      if (request.headers.has('x-again')) return new Response(`again ${await request.text()}`)
      request.headers.set('x-again', '1')
      return fetch(request)
    }
    expect((await call(itself, post)).text).toBe(`again ${post.body}`)
    expect((await call(itself)).text).toBe('again ')
  })

  it.each(['before', 'after'])(
    'has a signal that tells of a client that went, asked for %s it did',
    async (when) => {
      const heard = Promise.withResolvers<unknown>()
      const url = await serve(async (request) => {
        if (when === 'before')
          request.signal.addEventListener('abort', () => heard.resolve(request.signal.reason))
        await sleep(200)
        if (when === 'after') heard.resolve(request.signal.reason)
        return new Response('too late')
      })
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
      setTimeout(() => socket.destroy(), 50)
      expect(String(await heard.promise)).toContain('The client went away')
    },
  )

  it('fails to read a body whose client went', async () => {
    const reads = Promise.withResolvers<unknown[]>()
    const url = await serve(async (request) => {
      const first = await request.text().catch((error) => error.message)
      reads.resolve([first, await request.text().catch((error) => error.name)])
      return new Response()
    })
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf')
    setTimeout(() => socket.destroy(), 50)
    expect(await reads.promise).toEqual(['aborted', 'TypeError'])
  })
})

describe('the response that a handler makes', () => {
  it.each<[string, () => ConstructorParameters<typeof Response>[0]]>([
    ['text', () => 'h\u00e9llo \ud800'],
    ['no text', () => ''],
    ['bytes', () => Buffer.from('bytes')],
    ['a buffer', () => new Uint8Array([97, 98]).buffer],
    ['a view', () => new DataView(new Uint8Array([97, 98]).buffer)],
    ['a blob', () => new Blob(['blob'], { type: 'text/x-blob' })],
    ['a form', () => new URLSearchParams({ a: '1' })],
    ['a stream', () => new Blob(['stream']).stream()],
    ['nothing', () => null],
    ['undefined', () => undefined],
  ])('arrives as undici would send it: %s', async (_, body) => {
    const init = {
      status: 201,
      statusText: 'Well made',
      headers: [
        ['X-B', '2'],
        ['x-a', '\u00e9'],
        ['x-b', '3'],
      ] as [string, string][],
    }
    const model = new native.Response(body(), init)
    const { status, headers, text } = await call(() => new Response(body(), init))
    expect(status).toBe(201)
    expect(text).toBe(await model.text())
    for (const [name, value] of model.headers) expect(headers.get(name)).toBe(value)
    expect(headers.get('content-type')).toBe(model.headers.get('content-type'))
  })

  it.each<[string, unknown[]]>([
    ['a status that is none', ['x', { status: 999 }]],
    ['a body where there is none', ['x', { status: 204 }]],
    ['a header name', ['x', { headers: { 'a b': 'c' } }]],
    ['a header value', ['x', { headers: { a: 'b\n' } }]],
    ['a status text', ['x', { statusText: '\n' }]],
    ['an init', ['x', 7]],
    ['a symbol', [Symbol('x')]],
  ])('is refused as undici would: %s', (_, args) => {
    const make = (Class: unknown) => {
      try {
        return new (Class as new (...args: unknown[]) => Response)(...args)
      } catch (error) {
        return (error as Error).constructor.name
      }
    }
    expect(typeof make(native.Response)).toBe(typeof make(Response))
    if (typeof make(native.Response) === 'string') expect(make(Response)).toBe(make(native.Response))
  })

  it('has every property that one of undici has', async () => {
    const seen = async (response: Response) => {
      const copy = response.clone()
      const { status, statusText, ok, type, url, redirected, bodyUsed, headers } = response
      const body = [String(response.body), await response.text(), response.bodyUsed, await copy.text()]
      const again = await response.text().catch(String)
      return [
        status,
        statusText,
        ok,
        type,
        url,
        redirected,
        bodyUsed,
        [...headers],
        body,
        again,
        inspect(copy),
      ]
    }
    const args = ['text', { status: 404, statusText: 'No', headers: { a: '1' } }] as const
    const response = new Response(...args)
    expect(response).toBeInstanceOf(Response)
    expect(response).toBeInstanceOf(native.Response)
    expect(response.constructor).toBe(Response)
    expect(Object.keys(response)).toEqual([])
    expect(await seen(response)).toEqual(await seen(Reflect.construct(native.Response, args)))
  })

  it('can be wrapped, extended, changed, redirected and made of JSON', async () => {
    const headers = { 'x-a': '1' }
    const json = () => Response.json({ a: [1] }, { status: 201, headers })
    const model = nativeJson.call(native.Response, { a: [1] }, { status: 201, headers }) as Response
    const made = await call(json)
    expect([made.status, made.text]).toEqual([201, await model.text()])
    expect(made.headers.get('content-type')).toBe(model.headers.get('content-type'))
    expect(() => Response.json(undefined)).toThrow(TypeError)
    expect((await call(() => Response.json(1, { status: '202' as never }))).headers.get('content-type')).toBe(
      'application/json',
    )

    expect((await call(() => new Response(json().body, json()))).text).toBe('{"a":[1]}')
    expect((await call(() => new (class Own extends Response {})('own'))).text).toBe('own')
    const changed = await call(() => {
      const response = new Response('changed')
      response.headers.delete('content-type')
      response.headers.append('x-a', '2')
      return response.clone()
    })
    expect([changed.text, changed.headers.get('content-type'), changed.headers.get('x-a')]).toEqual([
      'changed',
      null,
      '2',
    ])
    const redirect = await callRaw(() => Response.redirect('http://localhost/there', 307))
    expect([redirect.statusCode, redirect.headers.location]).toEqual([307, 'http://localhost/there'])
    expect(Response.error()).toMatchObject({ type: 'error', status: 0 })
  })

  it('is not changed by what becomes of the bytes it was made of', async () => {
    const bytes = Buffer.from('before')
    const { text } = await call(() => {
      const response = new Response(bytes)
      bytes.fill('x')
      return response
    })
    expect(text).toBe('before')
  })

  it('says how long it is, unless the handler does, and only then', async () => {
    expect((await callRaw(() => new Response('h\u00e9'))).headers).toMatchObject({ 'content-length': '3' })
    expect((await callRaw(() => new Response('h\u00e9'), 'HEAD')).headers).toMatchObject({
      'content-length': '3',
    })
    const own = await callRaw(() => new Response('four', { headers: { 'Content-Length': '4' } }))
    expect([own.headers['content-length'], own.body]).toEqual(['4', 'four'])
    const head = await callRaw(() => new Response(null, { headers: { 'content-length': '1000' } }), 'HEAD')
    expect([head.headers['content-length'], head.body]).toEqual(['1000', ''])
    const chunked = await callRaw(() => new Response(new Blob(['a']).stream()))
    expect(chunked.headers).toMatchObject({ 'transfer-encoding': 'chunked' })
    for (const status of [204, 304]) {
      const none = await callRaw(() => new Response(null, { status }))
      expect([none.statusCode, none.headers['content-length'], none.body]).toEqual([status, undefined, ''])
    }
  })

  it('can be sent only once, and not after it was read', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const cached = new Response('once')
    const url = await serve(() => cached)
    const statuses = [(await nativeFetch(url)).status, (await nativeFetch(url)).status]
    expect(statuses).toEqual([200, 500])
    const read = await call(async () => {
      const response = new Response('read')
      await response.text()
      return response
    })
    expect(read.status).toBe(500)
    expect(log).toHaveBeenCalled()
  })

  it('must be a Response', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    expect((await call(() => ({ status: 200, headers: new Headers(), body: null }) as Response)).status).toBe(
      500,
    )
    expect(String(log.mock.calls[0]?.[0])).toContain('The handler returned no Response')
  })
})
