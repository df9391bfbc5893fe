import { createDecipheriv, createECDH, createHash, createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

const platform = JSON.parse(
  readFileSync(new URL('../../../fixtures/sev-platform.json', import.meta.url), 'utf8'),
) as { certificates: string; pdhPrivateKey: string }

const build = { api_major: 1, api_minor: 55, build_id: 24 }

/** A compute node with a processor that does what SEV's do: unwraps keys, measures, and takes a secret. */
export class FakeSevNode implements AsyncDisposable {
  readonly url: string
  /** What it boots. */
  firmware = Buffer.from('firmware')
  policy = 1
  /** The passphrase that its guest was given. */
  passphrase: string | undefined
  #keys: { tek: Buffer; tik: Buffer } | undefined
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('request', async (request: IncomingMessage, response) => {
      const answer = await this.#answer(request)
      response.writeHead(answer === undefined ? 404 : 200)
      response.end(Buffer.isBuffer(answer) ? answer : JSON.stringify(answer ?? {}))
    })
  }

  static async create(): Promise<FakeSevNode> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new FakeSevNode(server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage): Promise<unknown> {
    const body = await buffer(request)
    switch (request.url?.split('/').at(-1)) {
      case 'certificates':
        return Buffer.from(platform.certificates, 'base64')
      case 'initialize': {
        const headers = { 'content-type': request.headers['content-type']! }
        const form = await new Response(body, { headers }).formData()
        const [session, godh] = await Promise.all(
          ['session', 'godh'].map((name) => (form.get(name) as File).text()),
        )
        this.#keys = unwrap(Buffer.from(session!, 'base64'), Buffer.from(godh!, 'base64'))
        return {}
      }
      case 'measurement':
        return { sev_info: { ...build, policy: this.policy }, launch_measure: this.#measure() }
      case 'inject_secret': {
        const { packet_header, secret } = JSON.parse(body.toString()) as Record<string, string>
        const iv = Buffer.from(packet_header!, 'base64').subarray(4, 20)
        const table = decrypt(this.#keys!.tek, iv, Buffer.from(secret!, 'base64'))
        const end = 20 + table.readUInt32LE(36)
        this.passphrase = table.subarray(40, end - 1).toString()
        return { status: { status: 'running', running: true } }
      }
    }
  }

  #measure(): string {
    const nonce = Buffer.alloc(16, 9)
    const measure = createHmac('sha256', this.#keys!.tik)
      .update(Buffer.from([4, build.api_major, build.api_minor, build.build_id, this.policy, 0, 0, 0]))
      .update(createHash('sha256').update(this.firmware).digest())
      .update(nonce)
      .digest()
    return Buffer.concat([measure, nonce]).toString('base64')
  }
}

function unwrap(session: Buffer, godh: Buffer): { tek: Buffer; tik: Buffer } {
  const [x, y] = [20, 92].map((at) => Buffer.from(godh.subarray(at, at + 48)).reverse())
  const exchange = createECDH('secp384r1')
  exchange.setPrivateKey(Buffer.from(platform.pdhPrivateKey, 'base64url'))
  const shared = exchange.computeSecret(Buffer.concat([Buffer.from([4]), x!, y!]))
  const master = derive(shared, session.subarray(0, 16), 'sev-master-secret')
  const keys = decrypt(
    derive(master, Buffer.alloc(0), 'sev-kek'),
    session.subarray(48, 64),
    session.subarray(16, 48),
  )
  return { tek: keys.subarray(0, 16), tik: keys.subarray(16) }
}

function derive(key: Buffer, context: Buffer, label: string): Buffer {
  const input = Buffer.concat([
    Buffer.from([1, 0, 0, 0]),
    Buffer.from(`${label}\0`),
    context,
    Buffer.from([128, 0, 0, 0]),
  ])
  return createHmac('sha256', key).update(input).digest().subarray(0, 16)
}

function decrypt(key: Buffer, iv: Buffer, bytes: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-ctr', key, iv)
  return Buffer.concat([decipher.update(bytes), decipher.final()])
}
