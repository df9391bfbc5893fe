import { isEvmAddress } from '../identity/evm.ts'
import { curveOfTezosAddress } from '../identity/tezos-encoding.ts'
import type { Chain } from '../message/chains.ts'
import { signatureScheme } from '../message/chains.ts'

/** The part of a verification method that follows from the account. */
export interface AccountMethod {
  type: string
  /** CAIP-10. */
  blockchainAccountId: string
  publicKeyBase58?: string
}

const secp256k1 = 'EcdsaSecp256k1RecoveryMethod2020'
const tezosTypes = {
  ed25519: 'Ed25519PublicKeyBLAKE2BDigestSize20Base58CheckEncoded2021',
  secp256k1,
  p256: 'P256PublicKeyBLAKE2BDigestSize20Base58CheckEncoded2021',
}

/** What the names of types mean in JSON-LD. */
export const methodContext: Record<string, string> = {
  [secp256k1]:
    'https://identity.foundation/EcdsaSecp256k1RecoverySignature2020#EcdsaSecp256k1RecoveryMethod2020',
  Ed25519VerificationKey2018: 'https://w3id.org/security#Ed25519VerificationKey2018',
  [tezosTypes.ed25519]: `https://w3id.org/security#${tezosTypes.ed25519}`,
  [tezosTypes.p256]: `https://w3id.org/security#${tezosTypes.p256}`,
  BlockchainVerificationMethod2021: 'https://w3id.org/security#BlockchainVerificationMethod2021',
}

/** How an account proves itself, in the types of the `did:pkh` method where it names one for the chain. */
export function accountMethod(chain: Chain, address: string, accountId: string): AccountMethod {
  if (signatureScheme(chain) === 'solana') {
    return { type: 'Ed25519VerificationKey2018', blockchainAccountId: accountId, publicKeyBase58: address }
  }
  return { type: methodType(address), blockchainAccountId: accountId }
}

function methodType(address: string): string {
  if (isEvmAddress(address)) return secp256k1
  const curve = curveOfTezosAddress(address)
  return curve === null ? 'BlockchainVerificationMethod2021' : tezosTypes[curve]
}
