import { randomBytes } from 'node:crypto'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Envelope,
  evmAddress,
  FileDag,
  itemHash,
  type MessageType,
  sha256Hex,
  signEnvelope,
} from '@aleph-ts/protocol'

/** A wallet of a test. */
export interface TestAccount {
  privateKey: Uint8Array
  address: string
}

export function testAccount(): TestAccount {
  const privateKey = randomBytes(32)
  return { privateKey, address: evmAddress(privateKey) }
}

export interface ProgramOptions {
  owner?: TestAccount
  runtime: string
  code: string
  encoding?: 'plain' | 'zip' | 'squashfs'
  entrypoint?: string
  persistent?: boolean
  http?: boolean
  internet?: boolean
  seconds?: number
  variables?: Record<string, string>
  useLatestCode?: boolean
  extra?: Record<string, unknown>
}

/** A core node as far as a compute node sees one: messages, files and aggregates over HTTP, held in memory. */
export class FakeCoreNode implements AsyncDisposable {
  readonly owner = testAccount()
  readonly messages = new Map<
    string,
    { status: string; message: Envelope; content: Record<string, unknown> }
  >()
  readonly files = new Map<string, Buffer>()
  readonly aggregates = new Map<string, unknown>()
  /** Paths asked for, in order. */
  readonly requests: string[] = []
  /** Answers before everything else when it returns true. */
  intercept: (...args: Parameters<RequestListener>) => boolean = () => false
  readonly #server: Server
  readonly #followers = new Set<ServerResponse>()

  private constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push(request.url ?? '')
      if (!this.intercept(request, response)) this.#answer(request, response)
    })
  }

  static async start(): Promise<FakeCoreNode> {
    const node = new FakeCoreNode()
    await new Promise<void>((resolve) => node.#server.listen(0, '127.0.0.1', resolve))
    return node
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  publish(type: MessageType, content: Record<string, unknown>, sender = this.owner): string {
    const full = { address: sender.address, time: Date.now() / 1000, ...content }
    const item_content = JSON.stringify(full)
    const proof = { item_type: 'inline' as const, item_hash: itemHash(item_content), item_content }
    return this.#keep(type, full, proof, sender)
  }

  /** A message that tells the CID of its content alone. */
  publishOnIpfs(type: MessageType, content: Record<string, unknown>, sender = this.owner): string {
    const full = { address: sender.address, time: Date.now() / 1000, ...content }
    const bytes = Buffer.from(JSON.stringify(full))
    const item_hash = new FileDag().update(bytes).finish().cid.toString()
    this.files.set(item_hash, bytes)
    return this.#keep(type, full, { item_type: 'ipfs', item_hash, item_content: null }, sender)
  }

  #keep(
    type: MessageType,
    content: { address: string; time: number },
    proof: Pick<Envelope, 'item_type' | 'item_hash' | 'item_content'>,
    sender: TestAccount,
  ): string {
    const message = signEnvelope(
      { sender: sender.address, chain: 'ETH', type, ...proof, time: content.time, channel: 'TEST' },
      sender.privateKey,
    )
    this.messages.set(message.item_hash, { status: 'processed', message, content })
    this.announce({ ...message, content })
    return message.item_hash
  }

  /** Tells everybody who follows the events of a message. */
  announce(message: object): void {
    const event = JSON.stringify(message)
    for (const follower of this.#followers)
      follower.write(`id: ${this.messages.size}\nevent: message\ndata: ${event}\n\n`)
  }

  /** How many follow the events. */
  get followerCount(): number {
    return this.#followers.size
  }

  /** Publishes a file; returns the hash of its STORE message. */
  store(bytes: Buffer, extra: Record<string, unknown> = {}, sender = this.owner): string {
    const item_hash = sha256Hex(bytes)
    this.files.set(item_hash, bytes)
    // The nonce keeps two publications of one file apart.
    const metadata = { nonce: randomBytes(4).toString('hex') }
    return this.publish('STORE', { item_type: 'storage', item_hash, metadata, ...extra }, sender)
  }

  program(options: ProgramOptions): string {
    const { owner = this.owner, seconds = 5, internet = false, variables, extra } = options
    return this.publish(
      'PROGRAM',
      {
        type: 'vm-function',
        allow_amend: false,
        code: {
          encoding: options.encoding ?? 'zip',
          entrypoint: options.entrypoint ?? 'main.ts',
          ref: options.code,
          use_latest: options.useLatestCode ?? false,
        },
        runtime: { ref: options.runtime, use_latest: false, comment: 'test' },
        on: { http: options.http ?? true, persistent: options.persistent ?? false },
        environment: { reproducible: false, internet, aleph_api: false, shared_cache: false },
        resources: { vcpus: 1, memory: 128, seconds },
        metadata: { nonce: randomBytes(4).toString('hex') },
        ...(variables && { variables }),
        ...extra,
      },
      owner,
    )
  }

  #answer(...[request, response]: Parameters<RequestListener>): void {
    const url = new URL(request.url ?? '/', 'http://core')
    const sendJson = (value: unknown) => {
      response.writeHead(value === undefined ? 404 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(value ?? { error: 'not found' }))
    }
    const [, , , kind, name = '', hash = ''] = url.pathname.split('/')
    if (kind === 'messages') sendJson(this.messages.get(name))
    else if (kind === 'messages.json') sendJson({ messages: this.#amends(url.searchParams) })
    else if (kind === 'aggregates') {
      const key = url.searchParams.get('keys') ?? ''
      const value = this.aggregates.get(`${name.replace('.json', '')}/${key}`)
      sendJson(value && { data: { [key]: value } })
    } else if (kind === 'events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n')
      this.#followers.add(response)
      response.on('close', () => this.#followers.delete(response))
    } else {
      const file = kind === 'storage' && name === 'raw' ? this.files.get(hash) : undefined
      response.writeHead(file ? 200 : 404, file && { 'content-length': file.length }).end(file)
    }
  }

  #amends(query: URLSearchParams): unknown[] {
    return [...this.messages.values()]
      .filter(({ content }) => content.ref === query.get('refs') && content.address === query.get('owners'))
      .map(({ message, content }) => ({ ...message, content }))
      .sort((a, b) => b.time - a.time)
  }
}
