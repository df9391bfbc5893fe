import { CuttableLink } from '../testing/cuttable-link.ts'
import type { ClusterNetwork, Door, Site } from './cluster-network.ts'

/**
 * Members on loopback that dial each other through links that can be cut. Needs no rights; but only the links are cut,
 * so that files still come from anywhere over HTTP, and a cut connection is told so at once.
 */
export class ProxiedNetwork implements ClusterNetwork {
  readonly #links: { ends: [string, string]; link: CuttableLink }[] = []

  site(): Site {
    return { host: '127.0.0.1', httpPort: 0, p2pPort: 0, command: (file, args) => [file, args] }
  }

  door(_name: string, url: string): Door {
    const { hostname, port } = new URL(url)
    return { host: hostname, port: Number(port) }
  }

  async route(from: string, to: string, multiaddr: string): Promise<string> {
    const { link, multiaddr: ownMultiaddr } = await CuttableLink.to(multiaddr)
    this.#links.push({ ends: [from, to], link })
    return ownMultiaddr
  }

  async part(names: ReadonlySet<string>): Promise<void> {
    for (const { ends, link } of this.#links) {
      if (names.has(ends[0]) !== names.has(ends[1])) link.cut()
    }
  }

  async join(): Promise<void> {
    for (const { link } of this.#links) link.mend()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { link } of this.#links) link.stop()
  }
}
