import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { personalSign, verificationBuffer } from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { CoreNodes } from '../core-nodes/core-nodes.ts'
import type { NodeKey } from './node-key.ts'
import type { ProgramCache } from './program-cache.ts'

const MAX_STREAMS_PER_VM = 128
const MAX_BODY_BYTES = 1024 * 1024
const MAX_FORWARDED_BYTES = 64 * 1024 * 1024
const FORWARD_TIMEOUT_MS = 30_000
const KEY_PATH = /^\/cache\/(\w+)$/
const PUBLISH_PATH = /^\/api\/v0\/(ipfs|p2p)\/pubsub\/pub$/

const publishSchema = z.object({ topic: z.string().max(256), data: z.string().max(MAX_BODY_BYTES) })
const signSchema = z.looseObject({
  chain: z.string().default('ETH'),
  type: z.string(),
  item_hash: z.string(),
  item_content: z.string(),
})

export interface GuestApiOptions {
  cache: ProgramCache
  key: NodeKey
  coreNodes: CoreNodes
  logger: Logger
}

/** An answer that is not 200. */
class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * What a program may ask of its node, by HTTP over the guest channel (protocol 05 §6.9): a cache, the node's
 * signature over messages of its own, publishing, and reading from a core node.
 */
export class GuestApi {
  readonly #options: GuestApiOptions
  readonly #server: Server
  readonly #vmOf = new WeakMap<Duplex, string>()
  readonly #streams = new Map<string, Set<Duplex>>()

  constructor(options: GuestApiOptions) {
    this.#options = options
    this.#server = createServer({ maxHeaderSize: 16_384, requestTimeout: 60_000 }, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => this.#refuse(response, error))
    })
    this.#server.on('clientError', (_error, stream) => stream.destroy())
  }

  /** Takes over one stream that a guest opened; ends it when the VM has too many. */
  handle(vmId: string, stream: Duplex): void {
    const open = this.#streams.get(vmId) ?? new Set<Duplex>()
    this.#streams.set(vmId, open)
    stream.on('error', () => stream.destroy())
    if (open.size >= MAX_STREAMS_PER_VM) {
      stream.destroy()
      return
    }
    open.add(stream)
    stream.once('close', () => {
      open.delete(stream)
      if (open.size === 0) this.#streams.delete(vmId)
    })
    this.#vmOf.set(stream, vmId)
    this.#server.emit('connection', stream)
  }

  close(): void {
    for (const streams of this.#streams.values()) for (const stream of streams) stream.destroy()
    this.#streams.clear()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const vm = this.#vmOf.get(request.socket) ?? ''
    const url = new URL(request.url ?? '/', 'http://localhost')
    const method = request.method ?? 'GET'
    if (url.pathname === '/cache/' && method === 'GET') return this.#keys(vm, url, response)
    if (url.pathname.startsWith('/cache/')) return this.#cache(vm, method, url, request, response)
    if (url.pathname === '/properties') {
      const { address, publicKey } = this.#options.key
      return sendJson(response, { chain: 'ETH', curve: 'secp256k1', address, public_key: publicKey })
    }
    if (method === 'POST' && url.pathname === '/sign') {
      return sendJson(response, this.#sign(vm, await readBody(request)))
    }
    if (method === 'POST' && PUBLISH_PATH.test(url.pathname)) {
      return sendJson(response, await this.#publish(await readBody(request)))
    }
    if (method === 'GET' || method === 'HEAD') return this.#forward(url, response)
    throw new Refusal(405, 'The node does not answer this')
  }

  #keys(vm: string, url: URL, response: ServerResponse): void {
    const pattern = url.searchParams.get('pattern') ?? '*'
    if (!/^[\w?*^-]{1,256}$/.test(pattern)) throw new Refusal(400, 'Invalid key')
    sendJson(response, this.#options.cache.keys(vm, pattern))
  }

  async #cache(
    vm: string,
    method: string,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const key = KEY_PATH.exec(url.pathname)?.[1]
    if (key === undefined || key.length > 256) throw new Refusal(400, 'Invalid key')
    const { cache } = this.#options
    if (method === 'GET') {
      const value = cache.get(vm, key)
      if (!value) throw new Refusal(404, 'No such key in cache')
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(value)
    } else if (method === 'PUT') {
      if (!cache.set(vm, key, await readBody(request))) throw new Refusal(413, 'Value too large')
      sendJson(response, true)
    } else if (method === 'DELETE') sendJson(response, cache.delete(vm, key))
    else throw new Refusal(405, 'A key of the cache can be read, put and deleted')
  }

  /** Signs messages that speak for the program itself, and no others. */
  #sign(vm: string, body: Buffer): unknown {
    const message = signSchema.safeParse(parseJson(body))
    if (!message.success) throw new Refusal(400, 'Body is no message')
    const content = parseJson(Buffer.from(message.data.item_content)) as { address?: unknown } | null
    if (content?.address !== vm) throw new Refusal(400, "content.address is not the program's own hash")
    const { address, privateKey } = this.#options.key
    const signed = { ...message.data, chain: 'ETH', sender: address }
    const buffer = verificationBuffer({ ...signed, type: signed.type } as Parameters<
      typeof verificationBuffer
    >[0])
    return { ...signed, signature: personalSign(buffer, privateKey) }
  }

  /** Hands a signed message to a core node, which judges it as anybody's. */
  async #publish(body: Buffer): Promise<unknown> {
    const publication = publishSchema.safeParse(parseJson(body))
    const message = parseJson(Buffer.from(publication.data?.data ?? ''))
    if (!publication.success || typeof message !== 'object' || message === null) {
      throw new Refusal(400, 'Body must be {"topic", "data"}, data being a message as JSON text')
    }
    const [server] = this.#options.coreNodes.servers
    const response = await fetch(`${server}/api/v0/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sync: false, message }),
      redirect: 'error',
      signal: AbortSignal.timeout(FORWARD_TIMEOUT_MS),
    })
    await response.body?.cancel()
    return { status: response.ok ? 'success' : 'error', failed: response.ok ? [] : ['p2p'] }
  }

  /** Everything else is a question to a core node. */
  async #forward(url: URL, response: ServerResponse): Promise<void> {
    const [server] = this.#options.coreNodes.servers
    const signal = AbortSignal.timeout(FORWARD_TIMEOUT_MS)
    const answer = await fetch(`${server}${url.pathname}${url.search}`, { redirect: 'error', signal })
    const type = answer.headers.get('content-type') ?? 'application/octet-stream'
    response.writeHead(answer.status, { 'content-type': type })
    let size = 0
    for await (const chunk of answer.body ?? []) {
      size += chunk.byteLength
      if (size > MAX_FORWARDED_BYTES || response.destroyed) return void response.destroy()
      if (!response.write(chunk)) await drained(response)
    }
    response.end()
  }

  #refuse(response: ServerResponse, error: unknown): void {
    if (response.headersSent) return void response.destroy()
    const status = error instanceof Refusal ? error.status : 502
    if (status === 502) this.#options.logger.debug({ err: error }, 'a question of a guest failed')
    const text = error instanceof Refusal ? error.message : 'The core node did not answer'
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Refusal(413, `The body is larger than ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve).once('close', resolve)
  })
}
