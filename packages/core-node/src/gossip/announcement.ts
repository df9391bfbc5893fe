/** A node telling the network one way to reach it (protocol 04 §6.2). */
export interface Announcement {
  /** Multiaddress with `/p2p/…` for `P2P` and `IPFS`, base URL for `HTTP`. */
  address: string
  peer_type: PeerType
  /** When it was said, epoch seconds; older nodes do not say. */
  time?: number
}
export type PeerType = 'P2P' | 'HTTP' | 'IPFS'

/** Longest announcement anyone needs, bytes. */
export const maxAnnouncementBytes = 4096
const maxAddressLength = 512
const peerTypes: readonly string[] = ['P2P', 'HTTP', 'IPFS'] satisfies PeerType[]

/**
 * The bytes of an announcement. `time` (epoch seconds) is our addition: without a changing field the network's
 * 30-minute duplicate cache swallows all but the first (protocol 04, trap 1); receivers ignore unknown keys.
 */
export function encodeAnnouncement(announcement: Announcement, version: string, time: number): Uint8Array {
  const { address, peer_type } = announcement
  return new TextEncoder().encode(JSON.stringify({ address, interests: null, peer_type, time, version }))
}

/** Reads a received JSON value; `null` when it is not an announcement. */
export function parseAnnouncement(value: unknown): Announcement | null {
  if (typeof value !== 'object' || value === null) return null
  const { address, peer_type, time } = value as Record<string, unknown>
  if (typeof address !== 'string' || address.length === 0 || address.length > maxAddressLength) return null
  if (typeof peer_type !== 'string' || !peerTypes.includes(peer_type)) return null
  if (peer_type === 'HTTP' && !isHttpUrl(address)) return null
  if (time !== undefined && (typeof time !== 'number' || !Number.isFinite(time))) return null
  return { address, peer_type: peer_type as PeerType, ...(time === undefined ? {} : { time }) }
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:')
}
