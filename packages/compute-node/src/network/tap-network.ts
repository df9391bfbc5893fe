import { BlockList } from 'node:net'
import type { Forward } from '../hypervisor/index.ts'
import { runHostCommand } from './host-command.ts'
import { hasIpv6, readKernelSetting, setKernelSetting } from './kernel-setting.ts'
import { type LinkRules, type RulesetOptions, ruleset } from './ruleset.ts'
import { listTaps, removeTap } from './tap-device.ts'
import type { TapLink } from './tap-link.ts'
import { findUplink, type Uplink } from './uplink.ts'

export interface TapNetworkOptions extends Omit<RulesetOptions, 'uplink'> {
  /** Name of the host's interface to the outside; null: that of the default route. */
  uplink: string | null
  /** Whether the host answers on its uplink for the guests' IPv6 addresses, as when nobody routes them to it. */
  ndpProxy: boolean
}

/**
 * The host's side of its guests' links (protocol 05 §8): a tap per guest, and between them, the host and the
 * outside one table of nftables. Rules stay in force while this process is gone.
 */
export class TapNetwork {
  readonly #options: TapNetworkOptions
  readonly #uplink: Uplink
  readonly #ipv6: boolean
  /** By name of the tap. */
  readonly #guests = new Map<string, LinkRules>()
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(options: TapNetworkOptions, uplink: Uplink, ipv6: boolean) {
    this.#options = options
    this.#uplink = uplink
    this.#ipv6 = ipv6
  }

  /** Finds the way to the outside; changes nothing yet. Throws NetworkError. */
  static async create(options: TapNetworkOptions): Promise<TapNetwork> {
    return new TapNetwork(options, await findUplink(options.uplink), await hasIpv6())
  }

  /** The host's address on its way to the outside. */
  get hostIpv4(): string {
    return this.#uplink.ipv4
  }

  /** Puts the host in order for the guests that run on, and takes away what others left. */
  start(guests: readonly LinkRules[]): Promise<void> {
    return this.#inTurn(async () => {
      for (const guest of guests) this.#guests.set(guest.link.tap, guest)
      await this.#load()
      await this.#forward()
      for (const tap of await listTaps(this.#options.tapPrefix)) {
        if (!this.#guests.has(tap)) await removeTap(tap)
      }
      await this.#sweepProxies()
    })
  }

  /** Opens the link of a guest whose tap was just made. */
  attach(guest: LinkRules): Promise<void> {
    const { link } = guest
    return this.#inTurn(async () => {
      this.#guests.set(link.tap, guest)
      try {
        // Nothing goes through before the rules stand.
        await this.#load()
        await this.#raise(link)
      } catch (error) {
        this.#guests.delete(link.tap)
        throw error
      }
    })
  }

  /** Replaces the ports that lead to a guest. */
  setForwards(tap: string, forwards: readonly Forward[]): Promise<void> {
    return this.#inTurn(async () => {
      const guest = this.#guests.get(tap)
      if (!guest) return
      this.#guests.set(tap, { ...guest, forwards })
      await this.#load()
    })
  }

  /** Closes the link of a guest that is gone, and its tap with it. */
  detach(link: TapLink): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#guests.delete(link.tap)) return
      await this.#load()
      if (this.#proxies) await this.#proxy('del', link.ipv6.address)
    })
  }

  /**
   * Makes the host's side of every link anew: rules, addresses, neighbours. What fails is told by tap; throws when the
   * rules themselves cannot be loaded.
   */
  async recreate(): Promise<{ recreated: string[]; failed: Map<string, Error> }> {
    const recreated: string[] = []
    const failed = new Map<string, Error>()
    await this.#inTurn(async () => {
      await this.#load()
      await this.#forward()
      for (const [tap, { link }] of this.#guests) {
        await this.#raise(link).then(
          () => recreated.push(tap),
          (error: Error) => failed.set(tap, error),
        )
      }
      await this.#sweepProxies()
    })
    return { recreated, failed }
  }

  /** Takes the rules away, unless guests run on. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#guests.size > 0) return
      const table = `table inet ${this.#options.tapPrefix}`
      // Made first, so that one that was never made can be deleted too.
      await runHostCommand('nft', ['-f', '-'], `${table}\ndelete ${table}\n`)
    })
  }

  /** One change after the other. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #load(): Promise<void> {
    const rules = ruleset({ ...this.#options, uplink: this.#uplink.name }, [...this.#guests.values()])
    await runHostCommand('nft', ['-f', '-'], rules)
  }

  /** Lets packets pass between guests and the outside; what may pass is up to the rules. */
  async #forward(): Promise<void> {
    const { name } = this.#uplink
    await setKernelSetting(`ipv4/conf/${name}/forwarding`, '1')
    if (!this.#ipv6) return
    // A host that forwards ignores router advertisements unless told not to, and would lose its own route.
    const advertised = await readKernelSetting(`ipv6/conf/${name}/accept_ra`)
    if (advertised === '1') await setKernelSetting(`ipv6/conf/${name}/accept_ra`, '2')
    await setKernelSetting('ipv6/conf/all/forwarding', '1')
    if (this.#proxies) await setKernelSetting(`ipv6/conf/${name}/proxy_ndp`, '1')
  }

  async #raise({ tap, ipv4, ipv6 }: TapLink): Promise<void> {
    await setKernelSetting(`ipv4/conf/${tap}/forwarding`, '1')
    if (this.#ipv6) await setKernelSetting(`ipv6/conf/${tap}/accept_ra`, '0')
    const lines = [`address replace ${ipv4.gateway}/${prefixLength(ipv4.network)} dev ${tap}`]
    if (this.#ipv6) lines.push(`address replace ${ipv6.network} dev ${tap} nodad`)
    lines.push(`link set dev ${tap} up`)
    await runHostCommand('ip', ['-batch', '-'], `${lines.join('\n')}\n`)
    if (this.#proxies) await this.#proxy('replace', ipv6.address)
  }

  get #proxies(): boolean {
    return this.#ipv6 && this.#options.ndpProxy
  }

  async #proxy(action: 'replace' | 'del', address: string): Promise<void> {
    await runHostCommand('ip', ['-6', 'neighbour', action, 'proxy', address, 'dev', this.#uplink.name])
  }

  /** Stops answering for guests that are gone. */
  async #sweepProxies(): Promise<void> {
    if (!this.#proxies) return
    const { name } = this.#uplink
    const listed = await runHostCommand('ip', ['-6', '-json', 'neighbour', 'show', 'proxy', 'dev', name])
    const wanted = new Set([...this.#guests.values()].map(({ link }) => link.ipv6.address))
    const [prefix, bits] = this.#options.ipv6Pool.split('/') as [string, string]
    const pool = new BlockList()
    pool.addSubnet(prefix, Number(bits), 'ipv6')
    for (const { dst } of JSON.parse(listed || '[]') as { dst: string }[]) {
      if (pool.check(dst, 'ipv6') && !wanted.has(dst)) await this.#proxy('del', dst)
    }
    for (const address of wanted) await this.#proxy('replace', address)
  }
}

function prefixLength(network: string): string {
  return network.split('/')[1] as string
}
