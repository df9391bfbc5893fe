import { classifyHash } from '@aleph-ts/protocol'
import type { ContentFetcher, CoreNodeContext } from '../context.ts'
import type { PeerTable } from '../gossip/peer-table.ts'
import type { Registry } from '../registry/registry.ts'
import { FileStoreError } from '../storage/file-store.ts'
import { type Offer, requestFromAny } from './hedged-request.ts'
import { PeerReputation } from './peer-reputation.ts'

export interface PeerContentFetcherOptions {
  fileStore: CoreNodeContext['fileStore']
  logger: CoreNodeContext['logger']
  /** Base URLs of known nodes that may have the file; nothing else is ever asked. */
  sources: () => Promise<string[]>
  hedgeMs?: number
  answerMs?: number
  /** A body that makes no progress for this long is given up, ms. */
  stallMs?: number
}

const maxDownloads = 8
const maxPeersAsked = 16
const maxFetchMs = 15 * 60_000

/**
 * Fetches files by hash from other core nodes over HTTP (protocol 04 §7–8): several peers hedged against each other,
 * hashed while it streams into the file store. A peer that serves wrong bytes costs nothing but the try: the next
 * one is asked, and the liar is not asked again for a while (protocol 04, trap 5).
 */
export class PeerContentFetcher implements ContentFetcher {
  readonly #options: PeerContentFetcherOptions
  readonly #reputation = new PeerReputation()
  readonly #running = new Map<string, Promise<'stored' | 'unavailable'>>()
  readonly #stopped = new AbortController()
  readonly #queue: (() => void)[] = []
  #downloads = 0

  constructor(options: PeerContentFetcherOptions) {
    this.#options = options
  }

  /**
   * A fetcher that asks registered core nodes and members that announced an address. `ownUrl` tells where this node
   * itself answers, which is never asked.
   */
  static create(
    context: Pick<CoreNodeContext, 'fileStore' | 'logger'>,
    network: {
      registry: Registry
      peers: PeerTable
      isMember: (peerId: string) => boolean
      ownUrl: () => string | undefined
    },
  ): PeerContentFetcher {
    const { registry, peers, isMember, ownUrl } = network
    return new PeerContentFetcher({
      fileStore: context.fileStore,
      logger: context.logger,
      sources: async () => {
        const announced = (await peers.addresses('HTTP')).filter(({ peerId }) => isMember(peerId))
        const registered = registry.corechannel?.nodes ?? []
        const urls = [...announced, ...registered].map(({ address }) => baseUrl(address))
        const own = baseUrl(ownUrl())
        return urls.filter((url) => url !== null && url !== own) as string[]
      },
    })
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('this node is stopping'))
    await Promise.allSettled(this.#running.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** See {@link ContentFetcher.fetch}. Concurrent calls for one hash share one download. */
  async fetch(
    hash: string,
    itemType: 'storage' | 'ipfs',
    options: { maxBytes: number; signal?: AbortSignal },
  ): Promise<'stored' | 'unavailable'> {
    if (itemType !== 'storage' || classifyHash(hash) !== 'storage') return 'unavailable'
    const running = this.#running.get(hash)
    if (running) return running
    const started = this.#fetch(hash, options).finally(() => this.#running.delete(hash))
    this.#running.set(hash, started)
    return started
  }

  async #fetch(
    hash: string,
    options: { maxBytes: number; signal?: AbortSignal },
  ): Promise<'stored' | 'unavailable'> {
    if (await this.#options.fileStore.has(hash)) return 'stored'
    await this.#takeTurn()
    try {
      const limits = [this.#stopped.signal, AbortSignal.timeout(maxFetchMs)]
      const signal = AbortSignal.any(options.signal ? [...limits, options.signal] : limits)
      const peers = this.#reputation.rank(await this.#options.sources()).slice(0, maxPeersAsked)
      for (;;) {
        const offer = await this.#request(hash, peers, signal)
        if (!offer) return 'unavailable'
        if (await this.#download(offer, hash, options.maxBytes)) return 'stored'
      }
    } finally {
      this.#endTurn()
    }
  }

  #request(hash: string, peers: string[], signal: AbortSignal): Promise<Offer | null> {
    return requestFromAny({
      peers,
      path: `api/v0/storage/raw/${hash}`,
      hedgeMs: this.#options.hedgeMs ?? 300,
      answerMs: this.#options.answerMs ?? 15_000,
      signal,
      onFailure: (peer, missing) => {
        if (!missing) this.#reputation.failed(peer)
      },
    })
  }

  async #download({ peer, response, abort }: Offer, hash: string, maxBytes: number): Promise<boolean> {
    const { fileStore, logger, stallMs = 15_000 } = this.#options
    try {
      const body = withoutStalls(response.body!, stallMs, abort)
      await fileStore.write(body, { maxBytes, expectedHash: hash })
      this.#reputation.delivered(peer)
      return true
    } catch (error) {
      abort(error as Error)
      if (!(error instanceof FileStoreError)) this.#reputation.failed(peer)
      else if (error.code === 'hash_mismatch') this.#reputation.lied(peer)
      logger.info({ peer, hash, reason: (error as Error).message }, 'a peer did not deliver a file')
      return false
    }
  }

  async #takeTurn(): Promise<void> {
    if (this.#downloads >= maxDownloads) await new Promise<void>((resolve) => this.#queue.push(resolve))
    else this.#downloads += 1
  }

  #endTurn(): void {
    const next = this.#queue.shift()
    if (next) next()
    else this.#downloads -= 1
  }
}

async function* withoutStalls(
  body: AsyncIterable<Uint8Array>,
  stallMs: number,
  abort: (reason: Error) => void,
): AsyncGenerator<Uint8Array> {
  const stalled = setTimeout(() => abort(new Error('the peer stopped sending')), stallMs)
  try {
    for await (const chunk of body) {
      stalled.refresh()
      yield chunk
    }
  } finally {
    clearTimeout(stalled)
  }
}

/** The URL with a trailing slash, so that paths resolve below it; `null` for what is not http(s). */
function baseUrl(address: string | null | undefined): string | null {
  const url = address ? URL.parse(address) : null
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null
  url.search = ''
  url.hash = ''
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url.href
}
