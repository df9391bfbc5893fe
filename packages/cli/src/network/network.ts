import { type CreditSale, mainnetProfile, type StreamNetwork } from '@aleph-ts/protocol'

/** A network the tool can point at, whatever it was found by. */
export interface Network {
  /** `devnet`, `mainnet`, or `custom` for a bare URL. */
  name: 'devnet' | 'mainnet' | 'custom'
  /** Where this knowledge comes from: a file, a URL, or `built in`. */
  source: string
  apiUrls: string[]
  schedulerUrl?: string
  programGatewayUrl?: string
  computeNodes: { url: string; coreNode: string }[]
  /** Where machines are paid by the second; with the address of the chain where it is known. */
  streams: (StreamNetwork & { rpc?: string | undefined })[]
  /** What credits are bought with. */
  creditSales: (CreditSale & { rpc?: string | undefined })[]
  /** Funded accounts whose keys everybody knows. */
  accounts: { address: string; privateKey: string; aleph: string }[]
  /** Item hashes of runtime images by short name. */
  runtimes: Record<string, string>
}

/** The production network (protocol 07 §1.1). */
export const mainnet: Network = {
  name: 'mainnet',
  source: 'built in',
  apiUrls: ['https://api.aleph.im', 'https://api2.aleph.im', 'https://api3.aleph.im'],
  schedulerUrl: 'https://scheduler.api.aleph.cloud',
  programGatewayUrl: 'https://aleph.sh',
  computeNodes: [],
  streams: mainnetProfile.streams,
  creditSales: mainnetProfile.creditSales,
  accounts: [],
  runtimes: { python: '63f07193e6ee9d207b7d1fcf8286f9aee34e6f12f101d2ec77c1229f92964696' },
}

/** A network of which only a core node's URL is known. */
export function networkAtUrl(url: string): Network {
  return {
    name: 'custom',
    source: url,
    apiUrls: [url],
    computeNodes: [],
    streams: [],
    creditSales: [],
    accounts: [],
    runtimes: {},
  }
}
