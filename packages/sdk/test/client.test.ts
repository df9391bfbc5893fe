import { createHash } from 'node:crypto'
import { type Envelope, parseEnvelope, verifySignature } from '@aleph-ts/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { AlephApiError, AlephClient, EthereumAccount, MessageRejectedError } from '../src/index.ts'
import { type Answer, FakeNode, inTurn, json } from './fake-node.ts'

const account = EthereumAccount.fromPrivateKey('11'.repeat(32))
const hash = 'ab'.repeat(32)
const opened: FakeNode[] = []

async function start(routes: Record<string, Answer>) {
  const node = await FakeNode.create(routes)
  opened.push(node)
  return { node, client: new AlephClient({ apiUrl: node.url, account, retryDelayMs: 1 }) }
}

afterEach(async () => {
  for (const node of opened.splice(0)) await node[Symbol.asyncDispose]()
})

const processed = json(200, {
  publication_status: { status: 'success', failed: [] },
  message_status: 'processed',
})

describe('sending a message', () => {
  it('posts a signed envelope that nodes accept', async () => {
    const { node, client } = await start({ 'POST /api/v0/messages': processed })
    const sent = await client.publishPost({ postType: 'note', content: { body: '100% é' } }, { channel: 'c' })
    const body = JSON.parse(node.seen[0]!.body.toString()) as { message: Envelope; sync: boolean }
    const envelope = parseEnvelope(body.message)
    expect(verifySignature({ ...envelope, signature: envelope.signature! })).toBe(true)
    expect(envelope).toMatchObject({ type: 'POST', channel: 'c', item_hash: sent.itemHash })
    expect(JSON.parse(envelope.item_content!).content).toEqual({ body: '100% é' })
    expect(body.sync).toBe(true)
    expect(sent.status).toBe('processed')
  })

  it('says pending when the node has not finished', async () => {
    const { client } = await start({ 'POST /api/v0/messages': json(202, { message_status: 'pending' }) })
    expect((await client.publishPost({ postType: 'note', content: 1 })).status).toBe('pending')
  })

  it('fails with the reason of the network when the message is rejected', async () => {
    const { client } = await start({
      'POST /api/v0/messages': json(422, {
        message_status: 'rejected',
        error_code: 5,
        details: { errors: [{ required_balance: '200', account_balance: '10' }] },
      }),
    })
    const error = await client.publishPost({ postType: 'note', content: 1 }).catch((reason) => reason)
    expect(error).toBeInstanceOf(MessageRejectedError)
    expect(error).toMatchObject({ code: 'insufficient_balance', errorCode: 5 })
    expect(error.message).toContain('BALANCE_INSUFFICIENT')
    expect(error.message).toContain('"required_balance":"200"')
    expect(error.hint).toContain('ALEPH')
  })

  it('asks the node for the reason when the refusal does not hold it', async () => {
    const { client } = await start({
      'POST /api/v0/messages': json(422, { message_status: 'rejected' }),
      'GET /api/v0/messages/': json(200, {
        status: 'rejected',
        item_hash: hash,
        message: {},
        error_code: 302,
        details: null,
      }),
    })
    await expect(client.publishPost({ postType: 'note', content: 1 })).rejects.toMatchObject({
      errorCode: 302,
    })
  })

  it('uploads long content first and refers to it by its hash', async () => {
    const { node, client } = await start({
      'POST /api/v0/storage/add_file': async (request, response) => {
        const file = (await formOf(request)).get('file') as File
        const taken = createHash('sha256')
          .update(await file.bytes())
          .digest('hex')
        json(200, { status: 'success', hash: taken })(request, response)
      },
      'POST /api/v0/messages': processed,
    })
    const sent = await client.publishPost({ postType: 'note', content: 'x'.repeat(60_000) })
    const uploaded = (await formOf(node.seen[0]!)).get('file') as File
    const text = await uploaded.text()
    expect(createHash('sha256').update(text).digest('hex')).toBe(sent.itemHash)
    const { message } = JSON.parse(node.seen[1]!.body.toString()) as { message: Envelope }
    expect(message).toMatchObject({ item_type: 'storage', item_content: null, item_hash: sent.itemHash })
  })

  it('refuses to sign without an account, and says how to give one', async () => {
    const { node } = await start({})
    const client = new AlephClient({ apiUrl: node.url })
    await expect(client.publishPost({ postType: 'note', content: 1 })).rejects.toThrow(/no account/)
  })
})

describe('retries', () => {
  it('tries a read again after 503 and a broken connection', async () => {
    const { node, client } = await start({
      'GET /api/v0/version': inTurn(
        json(503, { error: 'starting' }, { 'retry-after': '0' }),
        (_request, response) => void response.destroy(),
        json(200, { version: '1.0.0' }),
      ),
    })
    expect(await client.getNodeVersion()).toBe('1.0.0')
    expect(node.seen).toHaveLength(3)
  })

  it('goes on to the next node when the first is away', async () => {
    const { node } = await start({ 'GET /api/v0/version': json(200, { version: '2' }) })
    const client = new AlephClient({ apiUrls: ['http://127.0.0.1:1', node.url], retryDelayMs: 1 })
    expect(await client.getNodeVersion()).toBe('2')
  })

  it('does not repeat what the node refused', async () => {
    const { node, client } = await start({ 'GET /api/v0/messages/': json(400, { error: 'Invalid hash' }) })
    const error = await client.getMessage('nonsense').catch((reason) => reason)
    expect(error).toBeInstanceOf(AlephApiError)
    expect(error).toMatchObject({ status: 400, code: 'bad_request', details: { error: 'Invalid hash' } })
    expect(node.seen).toHaveLength(1)
  })

  it('gives up at once when aborted', async () => {
    const { client } = await start({ 'GET /api/v0/version': () => new Promise(() => undefined) })
    const controller = new AbortController()
    const waiting = client.getNodeVersion({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  it('names the URL when nobody answers', async () => {
    const client = new AlephClient({ apiUrl: 'http://127.0.0.1:1', retries: 0 })
    await expect(client.getNodeVersion()).rejects.toMatchObject({
      code: 'network_unreachable',
      message: expect.stringContaining('http://127.0.0.1:1'),
    })
  })

  it('reports a node that never answers as a timeout', async () => {
    const { node } = await start({ 'GET /api/v0/version': () => new Promise(() => undefined) })
    const client = new AlephClient({ apiUrl: node.url, retries: 0, timeoutMs: 50 })
    await expect(client.getNodeVersion()).rejects.toMatchObject({ code: 'timeout' })
  })

  it('refuses an answer of another shape, naming the field', async () => {
    const { client } = await start({ 'GET /api/v0/version': json(200, { hello: 1 }) })
    await expect(client.getNodeVersion()).rejects.toMatchObject({
      code: 'bad_response',
      message: expect.stringContaining('version'),
    })
  })
})

describe('waiting for a message', () => {
  it('follows it from unknown over pending to processed', async () => {
    const { node, client } = await start({
      [`GET /api/v0/messages/${hash}/status`]: inTurn(
        json(404, { error: 'Not found' }),
        json(200, { status: 'pending', item_hash: hash }),
        json(200, { status: 'processed', item_hash: hash }),
      ),
    })
    expect(await client.waitForMessage(hash)).toBe('processed')
    expect(node.seen).toHaveLength(3)
  })

  it('fails with the error code when it is rejected', async () => {
    const { client } = await start({
      [`GET /api/v0/messages/${hash}/status`]: json(200, { status: 'rejected', item_hash: hash }),
      [`GET /api/v0/messages/${hash}`]: json(200, {
        status: 'rejected',
        item_hash: hash,
        message: {},
        error_code: 300,
        details: { errors: [hash] },
      }),
    })
    await expect(client.waitForMessage(hash)).rejects.toMatchObject({
      code: 'message_rejected',
      errorCode: 300,
    })
  })

  it('goes on while the node is away for a moment', async () => {
    const { node } = await start({
      [`GET /api/v0/messages/${hash}/status`]: inTurn(
        (_request, response) => void response.destroy(),
        json(503, { error: 'starting' }),
        json(200, { status: 'processed', item_hash: hash }),
      ),
    })
    const client = new AlephClient({ apiUrl: node.url, retries: 0 })
    expect(await client.waitForMessage(hash)).toBe('processed')
  })

  it('says so when the node was away to the end', async () => {
    const client = new AlephClient({ apiUrl: 'http://127.0.0.1:1', retries: 0 })
    await expect(client.waitForMessage(hash, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'network_unreachable',
    })
  })

  it('ends with a timeout that tells the last status', async () => {
    const { client } = await start({
      [`GET /api/v0/messages/${hash}/status`]: json(200, { status: 'pending', item_hash: hash }),
    })
    await expect(client.waitForMessage(hash, { timeoutMs: 120 })).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('is pending'),
    })
  })
})

describe('files', () => {
  it('uploads the bytes together with a signed STORE that names their hash', async () => {
    const fileHash = createHash('sha256').update('hello').digest('hex')
    const { node, client } = await start({
      'POST /api/v0/storage/add_file': json(200, { status: 'success', hash: fileHash }),
    })
    const stored = await client.uploadFile({ file: 'hello', fileName: 'hello.txt', mimeType: 'text/plain' })
    const form = await formOf(node.seen[0]!)
    const metadata = JSON.parse(form.get('metadata') as string) as { message: Envelope; sync: boolean }
    const envelope = parseEnvelope(metadata.message)
    expect(verifySignature({ ...envelope, signature: envelope.signature! })).toBe(true)
    expect(metadata.sync).toBe(true)
    expect(JSON.parse(envelope.item_content!)).toMatchObject({ item_hash: fileHash, mime_type: 'text/plain' })
    expect(await (form.get('file') as File).text()).toBe('hello')
    expect(stored).toMatchObject({ fileHash, size: 5, status: 'processed', itemHash: envelope.item_hash })
  })

  it('uploads a file to be found by its CID', async () => {
    const cid = 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o'
    const { node, client } = await start({
      'POST /api/v0/ipfs/add_file': json(200, { status: 'success', hash: cid }),
    })
    const stored = await client.uploadFile({ file: 'hello world\n', engine: 'ipfs' })
    const { message } = JSON.parse((await formOf(node.seen[0]!)).get('metadata') as string)
    expect(JSON.parse(message.item_content)).toMatchObject({ item_type: 'ipfs', item_hash: cid })
    expect(stored).toMatchObject({ fileHash: cid, size: 12, status: 'processed' })
  })

  it('uploads a folder under the CID that it computes itself', async () => {
    const { node, client } = await start({
      'POST /api/v0/ipfs/add_directory': json(200, { status: 'success', hash: 'bafy' }),
    })
    const files = [
      { path: 'index.html', file: '<h1>hello</h1>' },
      { path: 'img/logo.svg', file: '<svg/>' },
    ]
    await expect(client.uploadFolder({ files })).rejects.toMatchObject({ code: 'file_hash_mismatch' })
    const form = await formOf(node.seen[0]!)
    const { message } = JSON.parse(form.get('metadata') as string)
    expect(JSON.parse(message.item_content).item_hash).toMatch(/^bafybei/)
    expect(form.getAll('file').map((file) => (file as File).name)).toEqual(['index.html', 'img/logo.svg'])
  })

  it('notices when the node took other bytes than were sent', async () => {
    const { client } = await start({
      'POST /api/v0/storage/add_file': json(200, { status: 'success', hash }),
    })
    await expect(client.uploadFile({ file: 'hello' })).rejects.toMatchObject({ code: 'file_hash_mismatch' })
  })

  it('says what to do when the balance is too low for the file', async () => {
    const { client } = await start({
      'POST /api/v0/storage/add_file': json(402, { error: 'Payment Required' }),
    })
    await expect(client.uploadFile({ file: 'hello' })).rejects.toMatchObject({
      code: 'insufficient_balance',
      status: 402,
      hint: expect.stringContaining('ALEPH'),
    })
  })

  it('downloads what was asked for, and fails on other bytes', async () => {
    const { client } = await start({
      'GET /api/v0/storage/raw/': (_request, response) => void response.end('hello'),
    })
    const right = createHash('sha256').update('hello').digest('hex')
    expect(await new Response(await client.downloadFile(right)).text()).toBe('hello')
    const stream = await client.downloadFile(hash)
    await expect(new Response(stream).text()).rejects.toMatchObject({ code: 'file_hash_mismatch' })
  })
})

describe('reading', () => {
  it('gives null for an aggregate that is not there', async () => {
    const { client } = await start({ 'GET /api/v0/aggregates/0xa.json?keys=profile': json(404, {}) })
    expect(await client.getAggregate('0xa', 'profile')).toBeNull()
  })

  it('gives the content of an aggregate', async () => {
    const { client } = await start({
      'GET /api/v0/aggregates/0xa.json': json(200, {
        address: '0xa',
        data: { profile: { name: 'Ada' } },
        info: {},
      }),
    })
    expect(await client.getAggregate('0xa', 'profile')).toEqual({ name: 'Ada' })
  })

  it('gives balances as exact decimal texts', async () => {
    const { client } = await start({
      'GET /api/v0/addresses/0xa/balance': json(200, {
        address: '0xa',
        balance: 2000.1,
        details: { ETH: 2000.1 },
        locked_amount: 0.2,
        credit_balance: 1200,
      }),
    })
    expect(await client.getBalance('0xa')).toEqual({
      address: '0xa',
      total: '2000.1',
      locked: '0.2',
      available: '1999.9',
      byChain: { ETH: '2000.1' },
      credits: '1200',
    })
  })

  it('lists messages with the filters in the names of the API', async () => {
    const { node, client } = await start({
      'GET /api/v0/messages.json': json(200, { messages: [], pagination_page: 2, pagination_total: 21 }),
    })
    const page = await client.listMessages({ types: ['PROGRAM'], owners: ['0xa', '0xb'], page: 2 })
    expect(page).toEqual({ messages: [], page: 2, pageSize: 20, total: 21 })
    const query = Object.fromEntries(new URL(node.seen[0]!.url, node.url).searchParams)
    expect(query).toEqual({
      msgType: 'PROGRAM',
      owners: '0xa,0xb',
      page: '2',
      pagination: '20',
      sortOrder: '-1',
    })
  })
})

describe('calling a program', () => {
  it('finds its compute node and hands back the answer as it is', async () => {
    const { node: computeNode } = await start({
      [`POST /vm/${hash}/echo?x=a%2Fb`]: (request, response) => {
        response.writeHead(404, { 'x-program': 'yes' }).end(request.body)
      },
    })
    const { client } = await start({
      [`GET /api/v0/allocation/${hash}`]: json(200, {
        vm_hash: hash,
        vm_type: 'persistent_program',
        core_node: 'cc',
        node: { node_id: 'nn', url: `${computeNode.url}/`, supports_ipv6: false },
      }),
    })
    const response = await client.callProgram(hash, '/echo?x=a%2Fb', { method: 'POST', body: 'ping' })
    expect(response.status).toBe(404)
    expect(response.headers.get('x-program')).toBe('yes')
    expect(await response.text()).toBe('ping')
  })

  it('says that no node runs it when none was assigned', async () => {
    const { client } = await start({})
    await expect(client.callProgram(hash)).rejects.toMatchObject({ code: 'not_allocated' })
  })

  it('says what the compute nodes lack when it waits in vain, where the scheduler tells', async () => {
    const nodes = ['confidential', 'memory', 'confidential', null].map((reason, index) => ({
      node_hash: `n${index}`,
      reason,
    }))
    const { client } = await start({
      [`GET /scheduler/api/v1/vms/${hash}/explanation`]: json(200, { allocated_node: null, nodes }),
    })
    await expect(client.waitForAllocation(hash, { timeoutMs: 1 })).rejects.toMatchObject({
      code: 'not_allocated',
      hint: 'What the compute nodes lack: confidential (2 nodes), memory (1 node).',
    })
    const { client: silent } = await start({})
    await expect(silent.waitForAllocation(hash, { timeoutMs: 1 })).rejects.toMatchObject({
      hint: expect.stringContaining('ask for fewer resources'),
    })
  })
})

describe('deploying a program', () => {
  it('stores the code, sends the program and waits for its compute node', async () => {
    const codeHash = createHash('sha256')
      .update(new Uint8Array([1, 2, 3]))
      .digest('hex')
    const { node, client } = await start({
      'POST /api/v0/storage/add_file': json(202, { status: 'success', hash: codeHash }),
      'POST /api/v0/messages': json(202, { message_status: 'pending' }),
      'GET /api/v0/messages/': json(200, { status: 'processed', item_hash: hash }),
      'GET /api/v0/allocation/': inTurn(
        json(404, {}),
        json(200, { vm_hash: hash, node: { node_id: 'nn', url: 'http://127.0.0.1:9' } }),
      ),
    })
    const steps: string[] = []
    const program = await client.deployProgram({
      code: new Uint8Array([1, 2, 3]),
      runtime: hash,
      entrypoint: 'index.ts',
      name: 'hello',
      onStep: (step) => steps.push(step),
    })
    expect(steps).toEqual(['uploading', 'sending', 'processing', 'allocating', 'ready'])
    expect(program.url).toBe(`http://127.0.0.1:9/vm/${program.itemHash}/`)
    const sent = node.seen.find(({ url }) => url === '/api/v0/messages')!
    const { message } = JSON.parse(sent.body.toString()) as { message: Envelope }
    expect(JSON.parse(message.item_content!)).toMatchObject({
      code: { ref: program.code!.itemHash, encoding: 'zip', entrypoint: 'index.ts' },
      metadata: { name: 'hello' },
    })
  })
})

async function formOf(request: { headers: Record<string, unknown>; body: Buffer }): Promise<FormData> {
  const headers = { 'content-type': String(request.headers['content-type']) }
  return new Response(new Uint8Array(request.body), { headers }).formData()
}
