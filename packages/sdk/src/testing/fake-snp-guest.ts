import { createHash, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type FakeAmd, guestCertificate } from './fake-amd.ts'

/** The attestation agent of a guest with SEV-SNP, on this machine (protocol 05 §19). */
export class FakeSnpGuest implements AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Bodies of the secrets it was given. */
  readonly received: string[]
  readonly #server: Server

  private constructor(server: Server, received: string[]) {
    this.#server = server
    this.received = received
    this.port = (server.address() as AddressInfo).port
    this.url = `https://127.0.0.1:${this.port}`
  }

  /** @param options.boundTo what its certificate's report is made for; default: its own key, as it should be */
  static async start(maker: FakeAmd, options: { boundTo?: Uint8Array } = {}): Promise<FakeSnpGuest> {
    const key = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const { x, y } = key.publicKey.export({ format: 'jwk' })
    const point = Buffer.concat([Buffer.from([4]), ...[x!, y!].map((part) => Buffer.from(part, 'base64url'))])
    const bound = options.boundTo ?? createHash('sha384').update(point).digest()
    const received: string[] = []
    const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' })
    const cert = guestCertificate(key, maker.report(bound))
    const server = createServer({ key: pem, cert }, async (request, response) => {
      const url = new URL(request.url!, 'https://guest')
      if (request.method === 'GET') {
        const data = maker.report(Buffer.from(url.searchParams.get('nonce')!, 'hex'))
        response.end(JSON.stringify({ tee_type: 'sev-snp', data: data.toString('hex') }))
        return
      }
      const body = await text(request)
      if (received.length > 0) response.writeHead(409).end('{"error":"secrets already injected"}')
      else {
        received.push(body)
        response.end(JSON.stringify({ injected: Object.keys(JSON.parse(body)) }))
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FakeSnpGuest(server, received)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
