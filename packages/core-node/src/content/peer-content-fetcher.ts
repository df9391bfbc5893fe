import {
  type Cid,
  type ClaimedSize,
  ContentAddressError,
  claimedSize,
  maxBlockBytes,
  parseCid,
  verifyBlock,
} from '@aleph-ts/protocol'
import type { Bitswap } from '../bitswap/bitswap.ts'
import type { ContentFetcher, CoreNodeContext } from '../context.ts'
import type { PeerTable } from '../gossip/peer-table.ts'
import type { OpenRegistered } from '../registered-request.ts'
import type { Registry } from '../registry/registry.ts'
import { type Offer, requestFromAny } from './hedged-request.ts'
import type { Kubo } from './kubo.ts'
import { PeerReputation } from './peer-reputation.ts'
import { blameFor, type Transfer, transfersOf } from './transfer.ts'
import { Turns } from './turns.ts'
import { withoutStalls } from './without-stalls.ts'

export interface PeerContentFetcherOptions {
  fileStore: CoreNodeContext['fileStore']
  logger: CoreNodeContext['logger']
  /** Base URLs of known nodes that may have the file; nothing else is ever asked. */
  sources: () => Promise<string[]>
  open: OpenRegistered
  /** Asked for CIDs that no core node has. */
  bitswap?: Pick<Bitswap, 'fetch'> | undefined
  /** Asked for CIDs that no connected IPFS node has either. */
  kubo?: Kubo | undefined
  hedgeMs?: number
  answerMs?: number
  /** A body that makes no progress for this long is given up, ms. */
  stallMs?: number
}

const maxDownloads = 8
const maxPeersAsked = 16
const maxFetchMs = 30 * 60_000
/** Whoever has a root gives it soon. */
const maxRootMs = 60_000

interface Wanted {
  hash: string
  maxBytes: number
  signal: AbortSignal
}

/**
 * Fetches files by hash from other core nodes over HTTP (protocol 04 §7–8): several peers hedged against each other,
 * hashed while it streams into the file store. A peer that serves wrong bytes costs nothing but the try: the next
 * one is asked, and the liar is not asked again for a while (protocol 04, trap 5).
 *
 * What no core node has and a CID names is asked of connected IPFS nodes by bitswap, block by block: later, because an
 * archive costs one request instead of one per block. And last of a Kubo node, when there is one, because it searches
 * the whole public network, which takes long for what nobody has.
 */
export class PeerContentFetcher implements ContentFetcher {
  readonly #options: PeerContentFetcherOptions
  readonly #reputation = new PeerReputation()
  readonly #running = new Map<string, Promise<'stored' | 'unavailable'>>()
  readonly #stopped = new AbortController()
  readonly #turns = new Turns(maxDownloads)

  constructor(options: PeerContentFetcherOptions) {
    this.#options = options
  }

  /**
   * A fetcher that asks registered core nodes and members that announced an address. `ownUrl` tells where this node
   * itself answers, which is never asked.
   */
  static create(
    context: Pick<CoreNodeContext, 'fileStore' | 'logger' | 'openRegistered'>,
    network: {
      registry: Registry
      peers: PeerTable
      isMember: (peerId: string) => boolean
      ownUrl: () => string | undefined
      bitswap?: Bitswap | undefined
      kubo?: Kubo | undefined
    },
  ): PeerContentFetcher {
    const { registry, peers, isMember, ownUrl, bitswap, kubo } = network
    return new PeerContentFetcher({
      fileStore: context.fileStore,
      logger: context.logger,
      open: context.openRegistered,
      bitswap,
      kubo,
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
    const transfers = transfersOf(hash, itemType)
    if (transfers.length === 0) return 'unavailable'
    const running = this.#running.get(hash)
    if (running) return running
    const limits = [this.#stopped.signal, AbortSignal.timeout(maxFetchMs)]
    const signal = AbortSignal.any(options.signal ? [...limits, options.signal] : limits)
    const wanted = { hash, maxBytes: options.maxBytes, signal }
    const started = this.#fetch(wanted, transfers, itemType).finally(() => this.#running.delete(hash))
    this.#running.set(hash, started)
    return started
  }

  /** See {@link ContentFetcher.claimedSize}. */
  async claimedSize(cid: string, options: { signal?: AbortSignal } = {}): Promise<ClaimedSize | undefined> {
    const limits = [this.#stopped.signal, AbortSignal.timeout(maxRootMs)]
    const signal = AbortSignal.any(options.signal ? [...limits, options.signal] : limits)
    const root = parseCid(cid)
    for (const take of [this.#rootFromPeers, this.#rootByBitswap, this.#rootFromKubo]) {
      const block = signal.aborted ? undefined : await take.call(this, root, signal)
      if (block) return sizeIn(root, block)
    }
  }

  async #rootFromPeers(root: Cid, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const peers = this.#reputation.rank(await this.#options.sources()).slice(0, maxPeersAsked)
    for (;;) {
      const offer = await this.#request(peers, `ipfs/${root}?format=raw`, signal)
      if (!offer) return undefined
      const { peer, body, abort } = offer
      const { stallMs = 15_000 } = this.#options
      try {
        return await readBlock(root, withoutStalls(body, stallMs, abort))
      } catch (error) {
        abort(error as Error)
        this.#reputation[error instanceof ContentAddressError ? 'lied' : 'failed'](peer)
      }
    }
  }

  async #rootByBitswap(root: Cid, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const blocks = this.#options.bitswap?.fetch(root, signal)
    const first = await blocks?.next().catch(() => undefined)
    await blocks?.return()
    return first?.value?.bytes
  }

  async #rootFromKubo(root: Cid, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { kubo } = this.#options
    return kubo && readBlock(root, kubo.block(root.toString(), signal)).catch(() => undefined)
  }

  async #fetch(
    wanted: Wanted,
    transfers: Transfer[],
    itemType: 'storage' | 'ipfs',
  ): Promise<'stored' | 'unavailable'> {
    if (await this.#options.fileStore.has(wanted.hash)) return 'stored'
    return this.#turns.run(async () => {
      for (const transfer of transfers) {
        if (await this.#fromPeers(wanted, transfer)) return 'stored'
      }
      if (itemType === 'storage') return 'unavailable'
      return (await this.#byBitswap(wanted)) || (await this.#fromKubo(wanted)) ? 'stored' : 'unavailable'
    })
  }

  async #fromPeers(wanted: Wanted, transfer: Transfer): Promise<boolean> {
    const peers = this.#reputation.rank(await this.#options.sources()).slice(0, maxPeersAsked)
    for (;;) {
      const offer = await this.#request(peers, transfer.path(wanted.hash), wanted.signal)
      if (!offer) return false
      if (await this.#download(offer, wanted, transfer)) return true
    }
  }

  #request(peers: string[], path: string, signal: AbortSignal): Promise<Offer | null> {
    return requestFromAny({
      open: this.#options.open,
      peers,
      path,
      hedgeMs: this.#options.hedgeMs ?? 300,
      answerMs: this.#options.answerMs ?? 15_000,
      signal,
      onFailure: (peer, missing) => {
        if (!missing) this.#reputation.failed(peer)
      },
    })
  }

  async #download(
    { peer, body, abort }: Offer,
    { hash, maxBytes }: Wanted,
    transfer: Transfer,
  ): Promise<boolean> {
    const { fileStore, logger, stallMs = 15_000 } = this.#options
    try {
      await transfer.keep(fileStore, withoutStalls(body, stallMs, abort), { hash, maxBytes })
      this.#reputation.delivered(peer)
      return true
    } catch (error) {
      abort(error as Error)
      const blame = blameFor(error, transfer)
      if (blame) this.#reputation[blame](peer)
      logger.info({ peer, hash, reason: (error as Error).message }, 'a peer did not deliver a file')
      return false
    }
  }

  async #byBitswap({ hash, maxBytes, signal }: Wanted): Promise<boolean> {
    const { bitswap, fileStore } = this.#options
    if (!bitswap || signal.aborted) return false
    return this.#succeeds('connected IPFS nodes', hash, () =>
      fileStore.importBlocks(bitswap.fetch(parseCid(hash), signal), { root: hash, maxBytes }),
    )
  }

  async #fromKubo({ hash, maxBytes, signal }: Wanted): Promise<boolean> {
    const { kubo, fileStore } = this.#options
    if (!kubo || signal.aborted) return false
    return this.#succeeds('Kubo', hash, () =>
      fileStore.importCar(kubo.exportCar(hash, signal), { maxBytes, expectedRoot: hash }),
    )
  }

  async #succeeds(source: string, hash: string, transfer: () => Promise<unknown>): Promise<boolean> {
    try {
      await transfer()
      return true
    } catch (error) {
      this.#options.logger.info(
        { source, hash, reason: (error as Error).message },
        'a file was not delivered',
      )
      return false
    }
  }
}

/** @throws {ContentAddressError} `wrong_bytes`, `too_large` */
async function readBlock(cid: Cid, bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of bytes) {
    size += part.length
    if (size > maxBlockBytes) throw new ContentAddressError('too_large', `Block ${cid} is too large`)
    parts.push(part)
  }
  const block = Buffer.concat(parts)
  verifyBlock(cid, block)
  return block
}

/** Undefined for a root that is no file and no folder: fetching it fails with the reason. */
function sizeIn(root: Cid, block: Uint8Array): ClaimedSize | undefined {
  try {
    return claimedSize(root, block)
  } catch (error) {
    if (error instanceof ContentAddressError) return undefined
    throw error
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
