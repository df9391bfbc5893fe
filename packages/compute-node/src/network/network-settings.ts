import { isIP } from 'node:net'
import { z } from 'zod'
import { commaList } from '../comma-list.ts'
import type { NetworkMode } from './open-network.ts'
import { linksIn } from './tap-link.ts'

const defaultNameservers = ['9.9.9.9', '1.1.1.1']

/** How instances are connected. All but `mode` is of taps. */
export interface NetworkSettings {
  mode: NetworkMode
  tapPrefix: string
  ipv4Pool: string
  /** Null: the interface of the default route. */
  uplink: string | null
  nameservers: string[]
  /** Networks that are not public and yet open to instances. */
  allowedNetworks: string[]
  /** Null: no limit. */
  mbitPerGuest: number | null
  ndpProxy: boolean
}

/** Environment variables of the above. */
export const networkEnvironmentTable = {
  ALEPH_VM_NETWORK: z
    .enum(['user', 'tap', 'auto'])
    .default('user')
    .describe(
      'How instances are connected: by QEMU itself, by taps of this host (root), or by taps if it can',
    ),
  ALEPH_VM_NETWORK_INTERFACE: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,15}$/, 'is no name of an interface')
    .optional()
    .describe('Taps: interface to the outside; default that of the default route'),
  ALEPH_VM_TAP_PREFIX: z
    .string()
    .regex(/^[a-z]{1,10}$/, 'is not 1 to 10 small letters')
    .default('vmtap')
    .describe('Taps: how their names begin, and the name of the table of nftables; one per node on a host'),
  ALEPH_VM_IPV4_ADDRESS_POOL: z
    .string()
    .refine(isIpv4Pool, 'is no IPv4 prefix of length 8 to 24')
    .default('172.16.0.0/12')
    .describe('Taps: IPv4 prefix that every instance gets a /24 of; one per node on a host'),
  ALEPH_VM_DNS_NAMESERVERS: commaList
    .pipe(z.array(z.string().refine((text) => isIP(text) !== 0, 'is no address')).max(8))
    .describe('Taps: name servers of instances; default 9.9.9.9, 1.1.1.1'),
  ALEPH_VM_GUEST_ALLOWED_NETWORKS: commaList
    .pipe(z.array(z.string().refine(isPrefix, 'is no prefix such as 10.1.0.0/16')).max(256))
    .describe('Taps: networks that are not public and that instances may reach all the same'),
  ALEPH_VM_NETWORK_MBIT: z.coerce
    .number()
    .min(1)
    .max(100_000)
    .optional()
    .describe('Taps: most of the traffic of one instance each way, in megabits a second; default no limit'),
  ALEPH_VM_USE_NDP_PROXY: z
    .stringbool({ truthy: ['1', 'true', 'yes'], falsy: ['0', 'false', 'no'] })
    .default(true)
    .describe("Taps: answer on the uplink for instances' IPv6 addresses, as when nobody routes them here"),
}

const environmentSchema = z.object(networkEnvironmentTable)

export function networkSettings(env: z.output<typeof environmentSchema>): NetworkSettings {
  const nameservers = env.ALEPH_VM_DNS_NAMESERVERS
  return {
    mode: env.ALEPH_VM_NETWORK,
    tapPrefix: env.ALEPH_VM_TAP_PREFIX,
    ipv4Pool: env.ALEPH_VM_IPV4_ADDRESS_POOL,
    uplink: env.ALEPH_VM_NETWORK_INTERFACE ?? null,
    nameservers: nameservers.length > 0 ? nameservers : defaultNameservers,
    allowedNetworks: env.ALEPH_VM_GUEST_ALLOWED_NETWORKS,
    mbitPerGuest: env.ALEPH_VM_NETWORK_MBIT ?? null,
    ndpProxy: env.ALEPH_VM_USE_NDP_PROXY,
  }
}

function isIpv4Pool(text: string): boolean {
  if (isIP(text.split('/')[0] as string) !== 4) return false
  try {
    return linksIn(text) > 0
  } catch {
    return false
  }
}

/** Whether the text is a network such as `10.1.0.0/16` or `fd00::/8`. */
export function isPrefix(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/')
  const family = isIP(address)
  return (
    family !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
  )
}
