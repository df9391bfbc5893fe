import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../hypervisor/atomic-file.ts'
import { NetworkError } from './network-error.ts'
import { firstLinkIndex, type LinkPools, linksIn, type TapLink, tapLink } from './tap-link.ts'

const storedSchema = z.record(z.string(), z.number().int().nonnegative())

/** Which VM has which link. A VM keeps its own, across restarts, until it is erased. */
export class TapLinks {
  readonly #path: string
  readonly #pools: LinkPools
  #indexes: Record<string, number> = {}
  #turn: Promise<unknown> = Promise.resolve()

  constructor(path: string, pools: LinkPools) {
    this.#path = path
    this.#pools = pools
  }

  async start(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}'
      throw error
    })
    this.#indexes = storedSchema.parse(JSON.parse(text))
  }

  /** The VM's link: the one it has, else the first free one. Throws NetworkError when the pool is used up. */
  async of(vm: string): Promise<TapLink> {
    return this.#inTurn(async () => {
      let index = this.#indexes[vm]
      if (index === undefined) {
        index = this.#firstFree()
        this.#indexes[vm] = index
        await this.#save()
      }
      return tapLink(this.#pools, index, vm)
    })
  }

  /** Gives the VM's link back. */
  async release(vm: string): Promise<void> {
    await this.#inTurn(async () => {
      if (!(vm in this.#indexes)) return
      delete this.#indexes[vm]
      await this.#save()
    })
  }

  #firstFree(): number {
    const taken = new Set(Object.values(this.#indexes))
    const end = linksIn(this.#pools.ipv4Pool)
    for (let index = firstLinkIndex; index < end; index++) if (!taken.has(index)) return index
    throw new NetworkError(
      `every network of the pool ${this.#pools.ipv4Pool} is taken; set ALEPH_VM_IPV4_ADDRESS_POOL to a larger one`,
    )
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #save(): Promise<void> {
    await writeFileAtomic(this.#path, JSON.stringify(this.#indexes))
  }
}
