/** A node telling the network how to reach it (protocol 04 §6.2). */
export interface Announcement {
  /** Multiaddresses with `/p2p/…` for `P2P` and `IPFS`, base URLs for `HTTP`; older nodes know the first only. */
  addresses: [string, ...string[]]
  peer_type: PeerType
  /** When it was said, epoch seconds; older nodes do not say. */
  time?: number
}
export type PeerType = 'P2P' | 'HTTP' | 'IPFS'

/** Longest announcement anyone needs, bytes. */
export const maxAnnouncementBytes = 4096
/** Addresses of one node. */
export const maxAddresses = 8
const maxAddressLength = 400
const peerTypes: readonly string[] = ['P2P', 'HTTP', 'IPFS'] satisfies PeerType[]

/**
 * The bytes of an announcement. `time` (epoch seconds) is our addition: without a changing field the network's
 * 30-minute duplicate cache swallows all but the first (protocol 04, trap 1). So is `more_addresses`; receivers ignore
 * unknown keys.
 */
export function encodeAnnouncement(announcement: Announcement, version: string, time: number): Uint8Array {
  const { addresses, peer_type } = announcement
  const [address, ...others] = addresses
  const more = others.length > 0 ? { more_addresses: others } : {}
  const fields = { address, interests: null, ...more, peer_type, time, version }
  return new TextEncoder().encode(JSON.stringify(fields))
}

/** Reads a received JSON value; `null` when it is not an announcement. */
export function parseAnnouncement(value: unknown): Announcement | null {
  if (typeof value !== 'object' || value === null) return null
  const { address, peer_type, time, more_addresses } = value as Record<string, unknown>
  if (typeof peer_type !== 'string' || !peerTypes.includes(peer_type)) return null
  const type = peer_type as PeerType
  if (!isAddress(address, type)) return null
  if (time !== undefined && (typeof time !== 'number' || !Number.isFinite(time))) return null
  const others = Array.isArray(more_addresses) ? more_addresses : []
  const more = others.slice(0, maxAddresses - 1).filter((other): other is string => isAddress(other, type))
  return { addresses: [address, ...more], peer_type: type, ...(time === undefined ? {} : { time }) }
}

function isAddress(value: unknown, type: PeerType): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxAddressLength) return false
  return type !== 'HTTP' || isHttpUrl(value)
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:')
}
