import {
  type Envelope,
  isAuthorised,
  isItemHash,
  itemHash,
  ProtocolError,
  parseContent,
  parseEnvelope,
  type StoreContent,
  verifySignature,
} from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import { AgentError } from '../errors.ts'
import { isContentOf } from './content-check.ts'
import type { Attempt, CoreNodes } from './core-nodes.ts'
import { MessageCache } from './message-cache.ts'

const MAX_MESSAGE_BYTES = 4 * 1024 * 1024
const MAX_LIST_BYTES = 16 * 1024 * 1024
const FRESH_MS = 60_000
const AGGREGATE_FRESH_MS = 60_000
const MAX_CACHED = 2_000

/** A message whose hash and signature this node checked itself. `content` is not yet checked against a type's schema. */
export interface VerifiedMessage {
  envelope: Envelope
  content: unknown
}

interface CachedMessage {
  message: VerifiedMessage
  checkedAt: number
}

interface CachedValue<T> {
  value: T
  checkedAt: number
}

export interface MessageSourceOptions {
  coreNodes: CoreNodes
  cacheDir: string
  /** How long the answer to which version of a file is the newest counts, milliseconds. */
  latestFreshMs: number
  logger: Logger
  /** Called when a message this node had cached turns out forgotten, removed or rejected. */
  onGone?: (itemHash: string) => void
}

/**
 * Signed messages by hash, fetched from any core node and verified here, so that one lying API server can
 * neither change a program nor invent one (protocol 05 §24.4). Verified messages never change, so they are
 * kept on disk; only their status is asked again, in the background.
 */
export class MessageSource {
  readonly #options: MessageSourceOptions
  readonly #cache: MessageCache
  readonly #messages = new Map<string, CachedMessage>()
  readonly #loading = new Map<string, Promise<VerifiedMessage>>()
  readonly #latest = new Map<string, CachedValue<string>>()
  readonly #aggregates = new Map<string, CachedValue<unknown>>()

  constructor(options: MessageSourceOptions) {
    this.#options = options
    this.#cache = new MessageCache(options.cacheDir)
  }

  /**
   * The verified message. Throws AgentError `message_not_found`, `message_pending`, `message_rejected`,
   * `message_gone`, `message_invalid` or `core_nodes_unreachable`.
   */
  async get(hash: string): Promise<VerifiedMessage> {
    const cached = this.#messages.get(hash)
    if (cached) {
      if (Date.now() - cached.checkedAt > FRESH_MS) this.#recheck(hash, cached)
      return cached.message
    }
    const loading = this.#loading.get(hash)
    if (loading) return loading
    const load = this.#load(hash).finally(() => this.#loading.delete(hash))
    this.#loading.set(hash, load)
    return load
  }

  /**
   * Takes over a message that came with its own proof instead of from a core node: inline content, signed.
   * Throws AgentError `message_invalid`.
   */
  async admit(hash: string, raw: unknown): Promise<void> {
    if (this.#messages.has(hash)) return
    const text = (raw as { item_content?: unknown } | null)?.item_content
    if (typeof text !== 'string') {
      throw new AgentError('message_invalid', `The message given for ${hash} carries no content of its own`)
    }
    await this.#keep(hash, verify(hash, raw, text), text)
  }

  /**
   * A message somebody showed this node, once it is proven: by itself when its content is inline, else by `get`. It is
   * not kept. Throws AgentError as `get` does.
   */
  async prove(hash: string, raw: unknown): Promise<VerifiedMessage> {
    const text = (raw as { item_content?: unknown } | null)?.item_content
    return typeof text === 'string' ? verify(hash, raw, text) : this.get(hash)
  }

  /**
   * Whether the message was rejected, forgotten or removed. When one core node says so, the others are asked too, and
   * more must say so than not: one alone ends no VM. Who cannot be asked says nothing.
   */
  async isGone(hash: string): Promise<boolean> {
    let saysSo: string | undefined
    const found = await this.#options.coreNodes
      .first(`status of ${hash}`, async (server) => {
        const standing = await this.#standing(server, hash)
        if (standing === null) return { missing: true }
        if (standing === 'gone') saysSo = server
        return { found: standing === 'gone' }
      })
      .catch((error: unknown) => {
        if (error instanceof AgentError) return false
        throw error
      })
    if (!found) return false
    const others = this.#options.coreNodes.servers.filter((server) => server !== saysSo)
    const said = await Promise.all(others.map((server) => this.#standing(server, hash).catch(() => null)))
    const count = (standing: string) => said.filter((each) => each === standing).length
    return 1 + count('gone') > count('there')
  }

  /** What one core node says of a message. Throws when it cannot be asked. */
  async #standing(server: string, hash: string): Promise<'there' | 'gone' | null> {
    const answer = await this.#options.coreNodes.getJson(
      server,
      `/api/v0/messages/${hash}`,
      MAX_MESSAGE_BYTES,
    )
    if ('missing' in answer) return null
    try {
      acceptedEnvelope(hash, answer.found)
      return 'there'
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      return error.code === 'message_gone' || error.code === 'message_rejected' ? 'gone' : null
    }
  }

  /** The STORE message content behind `ref`, following amends by its owner when `useLatest` (protocol 05 §6.3). */
  async store(ref: string, useLatest: boolean): Promise<{ ref: string; content: StoreContent }> {
    const original = storeContent(await this.#fileMessage(ref), ref)
    if (!useLatest) return { ref, content: original }
    const latest = await this.#latestRef(ref, original.address)
    if (latest === ref) return { ref, content: original }
    return { ref: latest, content: storeContent(await this.get(latest), latest) }
  }

  /** Has core nodes asked for an aggregate the next time it is needed. */
  forgetAggregate(address: string, key: string): void {
    this.#aggregates.delete(`${address}/${key}`)
  }

  /** Has core nodes asked for the newest version of a STORE message the next time it is needed. */
  forgetLatest(ref: string): void {
    this.#latest.delete(ref)
  }

  /**
   * One aggregate key of an address, or null. Answers are kept for a minute unless the caller wants a younger
   * one. Not verifiable: use for policy only.
   */
  async aggregate(address: string, key: string, maxAgeMs = AGGREGATE_FRESH_MS): Promise<unknown> {
    const id = `${address}/${key}`
    const cached = this.#aggregates.get(id)
    if (cached && Date.now() - cached.checkedAt < maxAgeMs) return cached.value
    const path = `/api/v0/aggregates/${encodeURIComponent(address)}.json?keys=${encodeURIComponent(key)}`
    const answer = await this.#options.coreNodes.first(`aggregate ${key}`, (server) =>
      this.#options.coreNodes.getJson(server, path, MAX_LIST_BYTES),
    )
    const value = (answer as { data?: Record<string, unknown> | null } | null)?.data?.[key] ?? null
    // An absent aggregate may be published any moment (a node starting before its network): ask again soon.
    if (value !== null) remember(this.#aggregates, id, { value, checkedAt: Date.now() })
    return value
  }

  async #fileMessage(ref: string): Promise<VerifiedMessage> {
    try {
      return await this.get(ref)
    } catch (error) {
      if (error instanceof AgentError && error.code === 'message_not_found') {
        throw new AgentError(
          'file_not_found',
          `Code, runtime or data not available: no core node knows the STORE message ${ref}`,
        )
      }
      throw error
    }
  }

  async #load(hash: string): Promise<VerifiedMessage> {
    const kept = await this.#loadKept(hash)
    if (kept) {
      const cached = { message: kept, checkedAt: 0 }
      remember(this.#messages, hash, cached)
      this.#recheck(hash, cached)
      return kept
    }
    const { message, text } = await this.#fetch(hash)
    await this.#keep(hash, message, text)
    return message
  }

  async #loadKept(hash: string): Promise<VerifiedMessage | null> {
    try {
      const kept = await this.#cache.read(hash)
      return kept && verify(hash, kept.envelope, kept.text)
    } catch (error) {
      const reason = (error as Error).message
      this.#options.logger.warn({ hash, reason }, 'cached message is damaged, dropped')
      await this.#cache.remove(hash)
      return null
    }
  }

  async #keep(hash: string, message: VerifiedMessage, text: string): Promise<void> {
    remember(this.#messages, hash, { message, checkedAt: Date.now() })
    await this.#cache.write(hash, { envelope: message.envelope, text })
  }

  async #fetch(hash: string): Promise<{ message: VerifiedMessage; text: string }> {
    const found = await this.#options.coreNodes.first(`message ${hash}`, async (server) => {
      const answer = await this.#options.coreNodes.getJson(
        server,
        `/api/v0/messages/${hash}`,
        MAX_MESSAGE_BYTES,
      )
      if ('missing' in answer) return answer
      const raw = acceptedEnvelope(hash, answer.found)
      const text = await this.#contentText(server, raw)
      if ('missing' in text) return text
      return { found: { message: verify(hash, raw, text.found), text: text.found } }
    })
    if (!found) throw new AgentError('message_not_found', `No core node knows the message ${hash}`)
    return found
  }

  async #contentText(server: string, raw: Record<string, unknown>): Promise<Attempt<string>> {
    if (typeof raw.item_content === 'string') return { found: raw.item_content }
    const path = `/api/v0/storage/raw/${raw.item_hash}`
    const bytes = await this.#options.coreNodes.getBytes(server, path, MAX_MESSAGE_BYTES)
    return 'missing' in bytes ? bytes : { found: Buffer.from(bytes.found).toString('utf8') }
  }

  async #latestRef(ref: string, owner: string): Promise<string> {
    const cached = this.#latest.get(ref)
    if (cached && Date.now() - cached.checkedAt < this.#options.latestFreshMs) return cached.value
    try {
      const latest = (await this.#findAmend(ref, owner)) ?? ref
      remember(this.#latest, ref, { value: latest, checkedAt: Date.now() })
      return latest
    } catch (error) {
      // The last version known is better than none while the core nodes are away.
      this.#options.logger.warn({ ref, reason: (error as Error).message }, 'cannot ask for a newer version')
      return cached?.value ?? ref
    }
  }

  async #findAmend(ref: string, owner: string): Promise<string | null> {
    const query = new URLSearchParams({
      msgType: 'STORE',
      sortOrder: '-1',
      refs: ref,
      owners: owner,
      pagination: '20',
    })
    return this.#options.coreNodes.first(`newer version of ${ref}`, async (server) => {
      const answer = await this.#options.coreNodes.getJson(
        server,
        `/api/v0/messages.json?${query}`,
        MAX_LIST_BYTES,
      )
      if ('missing' in answer) return answer
      const messages = (answer.found as { messages?: unknown }).messages
      if (!Array.isArray(messages)) throw new Error('answered no list of messages')
      for (const candidate of messages as { item_hash?: unknown }[]) {
        const amend = await this.#acceptAmend(candidate.item_hash, ref, owner)
        if (amend) return { found: amend }
      }
      return { missing: true }
    })
  }

  async #acceptAmend(hash: unknown, ref: string, owner: string): Promise<string | null> {
    if (typeof hash !== 'string' || !isItemHash(hash)) return null
    const message = await this.get(hash)
    if (message.envelope.type !== 'STORE') return null
    const content = storeContent(message, hash)
    if (content.address !== owner || content.ref !== ref) return null
    const { sender, chain, channel, type } = message.envelope
    if (sender === owner) return hash
    const security = await this.aggregate(owner, 'security')
    return isAuthorised(sender, owner, { chain, channel, type }, security) ? hash : null
  }

  #recheck(hash: string, cached: CachedMessage): void {
    cached.checkedAt = Date.now()
    this.isGone(hash)
      .then(async (gone) => {
        if (!gone) return
        this.#messages.delete(hash)
        await this.#cache.remove(hash)
        this.#options.onGone?.(hash)
      })
      .catch((error: unknown) =>
        this.#options.logger.error({ err: error, hash }, 'message status check failed'),
      )
  }
}

/** The envelope inside a `GET /api/v0/messages/<hash>` answer, if the message counts (protocol 03 §4.4). */
function acceptedEnvelope(hash: string, answer: unknown): Record<string, unknown> {
  const { status, message } = (answer ?? {}) as { status?: unknown; message?: unknown }
  switch (status) {
    case 'processed':
    case 'removing':
      if (typeof message === 'object' && message !== null) return message as Record<string, unknown>
      throw new AgentError('message_invalid', `A core node sent no envelope for the message ${hash}`)
    case 'pending':
      throw new AgentError('message_pending', `The message ${hash} is not processed yet; try again shortly`, {
        retryAfterSeconds: 1,
      })
    case 'rejected':
      throw new AgentError('message_rejected', `The network rejected the message ${hash}`)
    case 'forgotten':
    case 'removed':
      throw new AgentError('message_gone', `The message ${hash} was ${status}`)
    default:
      throw new AgentError('message_invalid', `A core node sent an unknown status for the message ${hash}`)
  }
}

function verify(hash: string, raw: unknown, text: string): VerifiedMessage {
  try {
    const { sender, chain, signature, type, item_type, item_hash, item_content, time, channel } =
      raw as Record<string, unknown>
    const envelope = parseEnvelope({
      sender,
      chain,
      signature,
      type,
      item_type,
      item_hash,
      item_content: item_content ?? null,
      time: typeof time === 'string' ? Date.parse(time) / 1000 : time,
      channel: channel ?? null,
    })
    const isContent =
      envelope.item_type === 'inline' ? itemHash(text) === hash : isContentOf(hash, Buffer.from(text))
    if (envelope.item_hash !== hash || !isContent) {
      throw new AgentError(
        'message_invalid',
        `A core node sent other content than the message ${hash} was signed for`,
      )
    }
    if (envelope.signature === null || !verifySignature({ ...envelope, signature: envelope.signature })) {
      throw new AgentError(
        'message_invalid',
        `A core node sent the message ${hash} with a signature that does not verify`,
      )
    }
    return { envelope, content: JSON.parse(text) }
  } catch (error) {
    if (error instanceof AgentError) throw error
    const reason =
      error instanceof ProtocolError || error instanceof SyntaxError ? error.message : String(error)
    throw new AgentError('message_invalid', `A core node sent a malformed message ${hash}: ${reason}`, {
      cause: error,
    })
  }
}

function storeContent(message: VerifiedMessage, ref: string): StoreContent {
  if (message.envelope.type !== 'STORE') {
    throw new AgentError('invalid_program', `The program refers to ${ref}, which is no STORE message`)
  }
  return parseContent('STORE', message.content)
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > MAX_CACHED) map.delete(map.keys().next().value as string)
}
