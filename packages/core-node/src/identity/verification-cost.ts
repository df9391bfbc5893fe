import { type SignatureScheme, type SignedMessage, signatureScheme } from '@aleph-ts/protocol'

/** Time to check one signature on one core, µs, as measured (README, "Signatures"); only the order matters. */
const microseconds: Record<SignatureScheme, number> = {
  evm: 85,
  solana: 150,
  avalanche: 130,
  cosmos: 130,
  nuls: 180,
  nuls2: 180,
  tezos: 220,
  substrate: 4_000,
  neo: 3_000,
}
/** `tz3` accounts sign on P-256, which is checked in JavaScript. */
const tezosP256 = 4_000

/** About how long checking a message's signature takes on one core, µs. */
export function verificationCost({ chain, sender }: SignedMessage): number {
  const scheme = signatureScheme(chain)
  if (scheme === null) return 0
  if (scheme === 'tezos' && sender.startsWith('tz3')) return tezosP256
  if (scheme === 'neo' && sender.startsWith('0x')) return microseconds.evm
  return microseconds[scheme]
}
