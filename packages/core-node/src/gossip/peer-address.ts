import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'

/** Where to dial a peer, and who has to answer there. */
export interface PeerAddress {
  peerId: string
  /** Ends with `/p2p/<peer id>`. */
  address: Multiaddr
}

/** The peer id a multiaddress ends with, when it holds exactly one (protocol 04 §6.3). */
export function peerIdOf(address: string): string | null {
  const [, peerId, ...more] = address.split('/p2p/')
  return peerId && !peerId.includes('/') && more.length === 0 ? peerId : null
}

/** Reads a multiaddress that ends with `/p2p/…`; `null` when it is not one. */
export function parsePeerAddress(text: string): PeerAddress | null {
  const peerId = peerIdOf(text)
  if (!peerId) return null
  try {
    return { peerId, address: multiaddr(text) }
  } catch {
    return null
  }
}
