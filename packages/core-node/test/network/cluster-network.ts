import { clearLeftovers } from './leftovers.ts'
import { NamespacedNetwork } from './namespaced-network.ts'
import { whyNoNamespaces } from './namespaces.ts'
import { ProxiedNetwork } from './proxied-network.ts'

/** Where a member of a cluster runs. */
export interface Site {
  /** Address it listens on. */
  host: string
  /** Ports it listens on; 0 takes free ones. */
  httpPort: number
  p2pPort: number
  /** The command that runs a command there. */
  command(file: string, args: string[]): [file: string, args: string[]]
}

/** Where the test itself reaches the API of a member. */
export type Door = { socketPath: string } | { host: string; port: number }

/** What joins the members of a cluster, and can part them. */
export interface ClusterNetwork extends AsyncDisposable {
  site(name: string): Site
  door(name: string, url: string): Door
  /** The address by which one member dials another. */
  route(from: string, to: string, multiaddr: string): Promise<string>
  /** Parts some members from all others. */
  part(names: ReadonlySet<string>): Promise<void>
  /** Joins all members again. */
  join(): Promise<void>
}

/** The ways to part nodes; those that this machine does not allow say why. */
export async function clusterNetworks() {
  await clearLeftovers()
  return [
    {
      title: 'network namespaces',
      unavailable: await whyNoNamespaces(),
      create: (names: string[]): Promise<ClusterNetwork> => NamespacedNetwork.create(names),
    },
    {
      title: 'proxied links',
      unavailable: null,
      create: async (): Promise<ClusterNetwork> => new ProxiedNetwork(),
    },
  ]
}
