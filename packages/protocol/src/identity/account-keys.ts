import type { Chain } from '../message/chains.ts'
import { identitySchemeOf } from './identity-scheme-of.ts'
import { isChainVerifiable } from './verify-signature.ts'

/**
 * A new private key or seed (32 bytes) for accounts of a chain, from the platform's secure random source.
 *
 * @throws {ProtocolError} INVALID_FORMAT when signatures of the chain are not taken.
 */
export function generatePrivateKey(chain: Chain): Uint8Array {
  let key = randomBytes32()
  // One in four billion is no number of P-256.
  while (!isPrivateKey(chain, key)) key = randomBytes32()
  return key
}

/** Whether bytes are a private key or seed for accounts of a chain. Throws as {@link generatePrivateKey} does. */
export function isPrivateKey(chain: Chain, key: Uint8Array): boolean {
  return identitySchemeOf(chain).isPrivateKey(key)
}

/** Whether text can be an account of a chain; false on chains whose signatures are not taken. */
export function isAddress(chain: Chain, address: string): boolean {
  return isChainVerifiable(chain) && identitySchemeOf(chain).isAddress(address)
}

/**
 * The commonest address of a private key or seed (32 bytes) on a chain: `X-avax1…` on Avalanche, `cosmos1…`,
 * network 42 on Substrate, `tz1…` on Tezos, `NULSd…`, NEO 2 on NEO. `avalancheAddress`, `cosmosAddress`,
 * `substrateAddress` and the like give the others.
 *
 * @throws {ProtocolError} INVALID_FORMAT when signatures of the chain are not taken.
 */
export function addressOfPrivateKey(chain: Chain, privateKey: Uint8Array): string {
  return identitySchemeOf(chain).address(privateKey)
}

function randomBytes32(): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(32))
}
