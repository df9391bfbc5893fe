import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import {
  type Envelope,
  FileDag,
  mainnetProfile,
  parseEnvelope,
  parseInlineContent,
  TreeDag,
  verifySignature,
} from '@aleph-ts/protocol'
import { fakeRegistry } from './fake-registry.ts'

type Content = Record<string, unknown>

export interface KeptMessage extends Envelope {
  content: Content
}

interface Reply {
  status?: number
  body: unknown
}

/**
 * A whole network in one HTTP server, just real enough for the tool: it keeps messages and files in memory,
 * checks signatures, assigns every program to itself and answers for it.
 */
export class FakeNetwork implements AsyncDisposable {
  readonly messages: KeptMessage[] = []
  readonly files = new Map<string, Buffer>()
  readonly url: string
  balance = 1_000
  price = '200.000000000000000000'
  /** What everybody pays, by the way it is paid. */
  costs: Record<string, Content[]> = {}
  computeNodeIsUp = true
  /** What owners asked of its VMs. */
  readonly operations: string[] = []
  /** Ports of its host that lead into every instance, by the instance's. */
  forwarded: Record<string, number> = { '22': 24_000 }
  /** Another server that VMs were put on. */
  computeNodeUrl: string | undefined
  /** Nodes of the production network do not. */
  servesRegistry = true
  /** The registry that the production network publishes. */
  corechannel: Content | undefined
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async create(): Promise<FakeNetwork> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const network = new FakeNetwork(server)
    server.on('request', async (request, response) => {
      const url = new URL(request.url!, network.url)
      if (url.pathname.startsWith('/vm/')) {
        response.writeHead(url.pathname.endsWith('/missing') ? 404 : 200, { 'content-type': 'text/plain' })
        return response.end(
          `${request.method} ${url.pathname.slice(68)}${url.search} ${await textOf(request)}`,
        )
      }
      if (url.pathname.startsWith('/api/v0/storage/raw/')) {
        const file = network.files.get(url.pathname.split('/').at(-1)!)
        return response.writeHead(file ? 200 : 404).end(file)
      }
      const reply = await network.#answer(request, url)
      const headers = { 'content-type': 'application/json', server: 'aleph-vm/9.9.9' }
      response.writeHead(reply.status ?? 200, headers)
      response.end(JSON.stringify(reply.body))
    })
    return network
  }

  /** The `network.json` a devnet of this kind would write. */
  file(accounts: { address: string; privateKey: string; aleph: string }[]) {
    return {
      coreNodes: [{ url: this.url, peerId: 'peer', address: '0x0' }],
      computeNodes: [{ url: this.url, coreNode: this.url }],
      chain: { rpc: 'http://127.0.0.1:1', chainId: 31337, contracts: {} },
      accounts,
      runtimes: { node: '0a'.repeat(32), python: '0b'.repeat(32), binary: '0c'.repeat(32) },
    }
  }

  ofType(type: string): KeptMessage[] {
    return this.messages.filter((message) => message.type === type)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, url: URL): Promise<Reply> {
    const [, , , resource, name = ''] = url.pathname.split('/')
    if (this.servesRegistry && url.pathname.startsWith('/api/v1/nodes')) return this.#nodes(request, url)
    if (url.pathname === '/about/login') return { status: this.computeNodeIsUp ? 401 : 502, body: {} }
    if (url.pathname === '/about/usage/system') return { body: { cpu: { count: 2 } } }
    if (url.pathname === '/api/v0/version') return { body: { version: '9.9.9' } }
    if (url.pathname === '/api/v0/storage/add_file') return this.#addFile(request)
    if (url.pathname === '/api/v0/ipfs/add_directory') return this.#addFolder(request)
    if (url.pathname === '/api/v0/price/estimate') return this.#estimate()
    if (url.pathname === '/api/v0/costs') {
      return { body: { resources: this.costs[url.searchParams.get('payment_type') ?? 'credit'] ?? [] } }
    }
    if (url.pathname.endsWith('/credit_history')) return { status: 404, body: {} }
    if (resource === 'addresses') return { body: this.#balanceOf(name) }
    if (resource === 'messages' && request.method === 'POST') {
      return this.#accept((JSON.parse(await textOf(request)) as { message: unknown }).message)
    }
    if (resource === 'messages') return this.#message(name)
    if (resource === 'messages.json') return this.#list(url.searchParams)
    if (resource === 'aggregates') return this.#aggregates(name.replace(/\.json$/, ''))
    if (resource === 'allocation') return this.#allocation(name)
    if (url.pathname.startsWith('/api/v0/storage/by-message-hash/')) return this.#fileOf(url.pathname)
    if (url.pathname === '/v2/about/executions/list') return { body: this.#executions() }
    if (url.pathname.startsWith('/control/machine/')) {
      this.operations.push(`${request.method} ${url.pathname.split('/').at(-1)}${url.search}`)
      return { body: [{ MESSAGE: 'listening', file: 'stdout' }] }
    }
    return { status: 404, body: { error: 'Not found' } }
  }

  async #addFolder(request: IncomingMessage): Promise<Reply> {
    const form = await formOf(request)
    const tree = new TreeDag({ cidVersion: 1 })
    for (const file of form.getAll('file') as File[]) {
      const bytes = new Uint8Array(await file.arrayBuffer())
      tree.add(file.name, new FileDag({ cidVersion: 1 }).update(bytes).finish())
    }
    const { message } = JSON.parse(form.get('metadata') as string) as { message: unknown }
    const { status } = this.#accept(message)
    return { status: status ?? 200, body: { status: 'success', hash: tree.finish().cid.toString() } }
  }

  async #addFile(request: IncomingMessage): Promise<Reply> {
    const form = await formOf(request)
    const bytes = Buffer.from(await (form.get('file') as File).arrayBuffer())
    const hash = createHash('sha256').update(bytes).digest('hex')
    this.files.set(hash, bytes)
    const { message } = JSON.parse(form.get('metadata') as string) as { message: unknown }
    const { status } = this.#accept(message)
    return { status: status ?? 200, body: { status: 'success', hash } }
  }

  #accept(message: unknown): Reply {
    const envelope = parseEnvelope(message)
    if (!verifySignature({ ...envelope, signature: envelope.signature! })) {
      return { status: 422, body: { message_status: 'rejected', error_code: 1, details: null } }
    }
    this.messages.push({ ...envelope, content: parseInlineContent(envelope).raw })
    return { body: { publication_status: { status: 'success', failed: [] }, message_status: 'processed' } }
  }

  #message(hash: string): Reply {
    const message = this.messages.find((each) => each.item_hash === hash)
    if (!message) return { status: 404, body: { error: `No message ${hash}` } }
    return { body: { status: 'processed', item_hash: hash, reception_time: '2026-01-01T00:00:00Z', message } }
  }

  #list(query: URLSearchParams): Reply {
    const [type, owner] = [query.get('msgType'), query.get('owners')]
    const messages = this.messages.filter(
      (each) => (!type || each.type === type) && (!owner || each.content.address === owner),
    )
    return { body: { messages, pagination_page: 1, pagination_total: messages.length } }
  }

  async #nodes(request: IncomingMessage, url: URL): Promise<Reply> {
    const { published, ignored, check } = fakeRegistry(this.messages, this.balance)
    if (url.pathname.endsWith('/check')) return { body: check(JSON.parse(await textOf(request))) }
    if (url.pathname.endsWith('/ignored')) {
      const node = url.searchParams.get('node')
      return { body: { ignored: ignored.filter((each) => each.item_hash === node || each.ref === node) } }
    }
    return { body: { source: 'computed', digest: 'd', ...published } }
  }

  #aggregates(owner: string): Reply {
    const data: Record<string, Content> = {}
    for (const { content } of this.ofType('AGGREGATE')) {
      if (content.address !== owner) continue
      const key = String(content.key)
      data[key] = { ...data[key], ...(content.content as Content) }
    }
    if (owner === mainnetProfile.addresses.corechannel && this.corechannel) {
      data.corechannel = this.corechannel
    }
    return Object.keys(data).length === 0
      ? { status: 404, body: {} }
      : { body: { address: owner, data, info: {} } }
  }

  #allocation(hash: string): Reply {
    const isHere = this.messages.some((each) => each.item_hash === hash)
    if (!isHere) return { status: 404, body: { error: 'not allocated' } }
    return {
      body: {
        vm_hash: hash,
        vm_type: 'program',
        core_node: 'cc',
        node: { node_id: 'nn', url: this.computeNodeUrl ?? this.url },
      },
    }
  }

  #executions() {
    const ports = Object.entries(this.forwarded).map(([port, host]) => [port, { host }])
    const networking = { mapped_ports: Object.fromEntries(ports) }
    const entries = this.ofType('INSTANCE').map(({ item_hash }) => [item_hash, { running: true, networking }])
    return Object.fromEntries(entries)
  }

  #estimate(): Reply {
    const row = {
      type: 'EXECUTION',
      name: 'program',
      cost_hold: this.price,
      cost_stream: '0',
      cost_credit: '0',
    }
    return {
      body: { required_tokens: Number(this.price), payment_type: 'hold', cost: this.price, detail: [row] },
    }
  }

  #balanceOf(address: string) {
    return { address, balance: this.balance, details: {}, locked_amount: 0, credit_balance: 0 }
  }

  #fileOf(path: string): Reply {
    const store = this.ofType('STORE').find((each) => path.endsWith(each.item_hash))
    if (!store) return { status: 404, body: {} }
    return { body: { file_hash: store.content.item_hash, size: 1, owner: store.sender, ref: null } }
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  return (await buffer(request)).toString()
}

async function formOf(request: IncomingMessage): Promise<FormData> {
  const headers = { 'content-type': request.headers['content-type']! }
  return new Response(new Uint8Array(await buffer(request)), { headers }).formData()
}
