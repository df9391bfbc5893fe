import { type Envelope, itemHash, type MessageType, sha256Hex, toChecksumAddress } from '@aleph-ts/protocol'
import { seededRandom } from './seeded-random.ts'

/** How many of each kind, in a hundred messages; what names others stands after them. */
export const ordinaryMix = {
  post: 52,
  aggregate: 16,
  store: 18,
  amend: 6,
  revision: 3,
  program: 3,
  instance: 1,
  forget: 1,
}
/** Rarer kinds, of which there are as many as a mix asks for. */
const rareMix = {
  /** Lets other accounts write for the sender, instead of those of earlier ones. */
  permission: 0,
  /** A post for another account, whether that allows it or not. */
  delegated: 0,
  /** Forgets an aggregate of the sender. */
  retraction: 0,
}
type Kind = keyof typeof ordinaryMix | keyof typeof rareMix

export interface MillOptions {
  /** Equal seeds give equal messages. */
  seed?: number
  /** Accounts that write: so many made up ones, or those of `addresses`. */
  senders?: number
  addresses?: string[]
  /** Time of the first message, epoch seconds; the others follow, one a second. */
  since?: number
  mix?: Partial<Record<Kind, number>>
  /** Whether to keep what the stored files hold. */
  keepFiles?: boolean
}

/** Files that generated messages store: the size in KiB stands in the hash. */
export function sizeOfMilledFile(hash: string): number {
  return (1 + Number.parseInt(hash.slice(0, 3), 16)) * 1024
}

/**
 * Makes messages as a network has them, of many accounts and all types, each naming earlier ones where its type does.
 * They are complete but for the signature, which is not real: hand them to a door that does not look at it.
 */
export class MessageMill {
  readonly addresses: string[]
  /** Contents of the files that messages made so far store, by hash, where they are kept. */
  readonly files = new Map<string, string>()
  readonly #random: () => number
  readonly #kinds: Kind[]
  readonly #posts: Made[] = []
  readonly #stores: Made[] = []
  /** Aggregates that stand, by sender and key; only where some are retracted. */
  readonly #aggregates = new Map<string, { sender: string; key: string }>()
  readonly #retracts: boolean
  readonly #seed: number
  readonly #keepFiles: boolean
  #time: number
  #count = 0

  constructor(options: MillOptions = {}) {
    const { seed = 1, senders = 1000, since = 1_600_000_000, mix = {}, keepFiles = false } = options
    this.#seed = seed
    this.#keepFiles = keepFiles
    this.#retracts = (mix.retraction ?? 0) > 0
    this.#random = seededRandom(seed)
    this.#time = since
    this.addresses =
      options.addresses ??
      Array.from({ length: senders }, (_, index) =>
        toChecksumAddress(`0x${sha256Hex(`account ${seed} ${index}`).slice(0, 40)}`),
      )
    this.#kinds = Object.entries({ ...ordinaryMix, ...rareMix, ...mix }).flatMap(([kind, share]) =>
      Array<Kind>(share).fill(kind as Kind),
    )
  }

  take(count: number): Envelope[] {
    return Array.from({ length: count }, () => this.#make(this.#pick(this.#kinds)))
  }

  /** The same mix, but kind after kind: what names others comes after them, which is quickest to process. */
  takeInRuns(count: number): Envelope[] {
    const kinds = Array.from({ length: count }, () => this.#pick(this.#kinds))
    const order = Object.keys({ ...ordinaryMix, ...rareMix })
    return kinds.sort((a, b) => order.indexOf(a) - order.indexOf(b)).map((kind) => this.#make(kind))
  }

  #make(kind: Kind): Envelope {
    this.#count += 1
    this.#time += 1
    if (kind === 'amend' && this.#posts.length > 0) return this.#amend()
    if (kind === 'revision' && this.#stores.length > 0) return this.#revision()
    if ((kind === 'program' || kind === 'instance') && this.#stores.length > 1) return this.#vm(kind)
    if (kind === 'forget' && this.#posts.length > 0) return this.#forget()
    if (kind === 'aggregate') return this.#aggregate()
    if (kind === 'permission') return this.#permission()
    if (kind === 'delegated') return this.#delegated()
    if (kind === 'retraction' && this.#aggregates.size > 0) return this.#retraction()
    if (kind === 'store' || kind === 'revision') return this.#store()
    return this.#post()
  }

  #post(): Envelope {
    const sender = this.#pick(this.addresses)
    const message = this.#message(sender, 'POST', {
      type: `type-${this.#number(50)}`,
      ref: this.#number(3) === 0 ? `ref-${this.#number(5000)}` : undefined,
      content: {
        title: `Post ${this.#count}`,
        body: 'lorem ipsum '.repeat(1 + this.#number(20)),
        tags: this.#tags(),
      },
    })
    this.#keep(this.#posts, message)
    return message
  }

  #amend(): Envelope {
    const { hash, sender } = this.#pick(this.#posts)
    return this.#message(sender, 'POST', {
      type: 'amend',
      ref: hash,
      content: { title: `Amended ${this.#count}` },
    })
  }

  #aggregate(): Envelope {
    const content = { [`field-${this.#number(20)}`]: this.#count, updated: this.#time }
    const sender = this.#pick(this.addresses)
    const key = `key-${this.#number(8)}`
    if (this.#retracts) this.#aggregates.set(`${sender} ${key}`, { sender, key })
    return this.#message(sender, 'AGGREGATE', { key, content })
  }

  #permission(): Envelope {
    const authorizations = [this.#pick(this.addresses), this.#pick(this.addresses)].map((address) => ({
      address,
    }))
    return this.#message(this.#pick(this.addresses), 'AGGREGATE', {
      key: 'security',
      content: { authorizations },
    })
  }

  #delegated(): Envelope {
    const [sender, address] = [this.#pick(this.addresses), this.#pick(this.addresses)]
    return this.#message(sender, 'POST', {
      address,
      type: 'delegated',
      content: { title: `For another ${this.#count}` },
    })
  }

  #retraction(): Envelope {
    const { sender, key } = this.#pick([...this.#aggregates.values()])
    this.#aggregates.delete(`${sender} ${key}`)
    return this.#message(sender, 'FORGET', { hashes: [], aggregates: [key] })
  }

  #store(ref?: string, sender = this.#pick(this.addresses)): Envelope {
    const text = `file ${this.#seed} ${this.#count}`
    const hash = sha256Hex(text)
    if (this.#keepFiles) this.files.set(hash, text)
    const message = this.#message(sender, 'STORE', {
      item_type: 'storage',
      item_hash: hash,
      ...(ref ? { ref } : {}),
    })
    if (!ref) this.#keep(this.#stores, message)
    return message
  }

  #revision(): Envelope {
    const { hash, sender } = this.#pick(this.#stores)
    return this.#store(hash, sender)
  }

  #vm(kind: 'program' | 'instance'): Envelope {
    const [code, runtime] = [this.#pick(this.#stores), this.#pick(this.#stores)]
    const common = {
      allow_amend: false,
      metadata: { name: `vm-${this.#count}`, tags: this.#tags() },
      environment: { internet: true, aleph_api: true, reproducible: false, shared_cache: false },
      resources: { vcpus: 1, memory: 512, seconds: 30 },
      volumes: [],
    }
    if (kind === 'instance') {
      const rootfs = { parent: { ref: code.hash, use_latest: false }, persistence: 'host', size_mib: 20_480 }
      return this.#message(code.sender, 'INSTANCE', {
        ...common,
        rootfs,
        authorized_keys: ['ssh-ed25519 AAAA'],
      })
    }
    return this.#message(code.sender, 'PROGRAM', {
      ...common,
      type: 'vm-function',
      code: { encoding: 'squashfs', entrypoint: 'main:app', ref: code.hash, use_latest: true },
      runtime: { ref: runtime.hash, use_latest: false, comment: 'milled' },
      on: { http: true, persistent: this.#number(4) === 0 },
    })
  }

  #forget(): Envelope {
    const index = this.#number(this.#posts.length)
    const [{ hash, sender }] = this.#posts.splice(index, 1) as [Made]
    return this.#message(sender, 'FORGET', { hashes: [hash], reason: 'milled' })
  }

  #message(sender: string, type: MessageType, content: object): Envelope {
    const time = this.#time
    const text = JSON.stringify({ address: sender, time, ...content })
    return {
      sender,
      chain: 'ETH',
      type,
      item_type: 'inline',
      item_hash: itemHash(text),
      item_content: text,
      time,
      channel: `channel-${this.#number(20)}`,
      signature: `0x${'00'.repeat(64)}1b`,
    }
  }

  /** What later messages may name: the newest few thousand, so that the mill's own memory stays small. */
  #keep(made: Made[], { item_hash, sender }: Envelope): void {
    made.push({ hash: item_hash, sender })
    if (made.length > mostKept) made.splice(0, mostKept / 2)
  }

  #tags(): string[] | undefined {
    return this.#number(3) === 0 ? [`tag-${this.#number(200)}`, `tag-${this.#number(200)}`] : undefined
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#number(from.length)]!
  }

  #number(below: number): number {
    return Math.floor(this.#random() * below)
  }
}

interface Made {
  hash: string
  sender: string
}

const mostKept = 20_000
