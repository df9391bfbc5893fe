import { sha256Hex } from '@aleph-ts/protocol'
import type { Account } from '../account/account.ts'
import { bytesToHex } from '../account/hex.ts'

/** How long a session key may be used; nodes and other clients take up to a day (protocol 05 §4.1). */
const sessionSeconds = 2 * 3600
const renewBeforeSeconds = 60

export interface OperatorHeaders {
  'X-SignedPubKey': string
  'X-SignedOperation': string
}

/** The platform's key type, by a road that needs neither the DOM's nor Node's type library. */
type SigningKey = Parameters<typeof crypto.subtle.sign>[1]

interface SessionKey {
  privateKey: SigningKey
  header: string
  expiresAt: number
}

/**
 * Proves to compute nodes that the owner of a VM is asking: the wallet signs a short-lived P-256 key once,
 * that key signs each operation (protocol 05 §4.1). One session serves every node.
 */
export class OperatorSession {
  readonly #account: Account
  #key: Promise<SessionKey> | undefined

  constructor(account: Account) {
    this.#account = account
  }

  /**
   * Headers for one request. `url` is the whole URL of the operation on the node, with its query. The node must find its
   * own domain name in it: the host name of the URL, or `localhost` for a node on this machine.
   *
   * Nodes that know how also hold the request to its query, take what is no GET once only, and hold it to its body when
   * that is given (protocol 05 §24.6); the others ignore it.
   */
  async headers(
    method: 'GET' | 'POST' | 'DELETE',
    url: string,
    options: { body?: string } = {},
  ): Promise<OperatorHeaders> {
    const key = await this.#currentKey()
    const { hostname, pathname, search } = new URL(url)
    const { body } = options
    const isLoopback = /^127(\.\d+){3}$|^\[::1\]$/.test(hostname)
    const payload = encodeJson({
      time: new Date().toISOString(),
      method,
      path: decodeURIComponent(pathname),
      domain: isLoopback ? 'localhost' : hostname,
      query: search.slice(1),
      ...(method === 'GET' ? {} : { nonce: crypto.randomUUID() }),
      ...(body === undefined ? {} : { body_sha256: sha256Hex(body) }),
    })
    const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, payload)
    return {
      'X-SignedPubKey': key.header,
      'X-SignedOperation': JSON.stringify({
        payload: bytesToHex(payload),
        signature: bytesToHex(new Uint8Array(signature)),
      }),
    }
  }

  async #currentKey(): Promise<SessionKey> {
    const key = await this.#key?.catch(() => undefined)
    if (key && key.expiresAt - renewBeforeSeconds > Date.now() / 1000) return key
    this.#key = this.#createKey()
    return this.#key
  }

  async #createKey(): Promise<SessionKey> {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
    const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey)
    const expiresAt = Date.now() / 1000 + sessionSeconds
    const payload = encodeJson({
      pubkey: { kty, crv, x, y },
      alg: 'ECDSA',
      address: this.#account.address,
      chain: ['SOL', 'ES'].includes(this.#account.chain) ? 'SOL' : 'ETH',
      expires: new Date(expiresAt * 1000).toISOString(),
    })
    const signature = await this.#account.signOperatorPayload(payload)
    return {
      privateKey: pair.privateKey,
      header: JSON.stringify({ payload: bytesToHex(payload), signature }),
      expiresAt,
    }
  }
}

function encodeJson(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value))
}
