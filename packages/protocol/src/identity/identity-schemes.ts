import type { SignatureScheme } from '../message/chains.ts'
import {
  avalancheAddress,
  canonicalAvalancheSignature,
  isAvalancheAddress,
  signAvalanche,
  verifyAvalanche,
} from './avalanche.ts'
import {
  canonicalCosmosSignature,
  cosmosAddress,
  prefixOfCosmosAddress,
  signCosmos,
  verifyCosmos,
} from './cosmos.ts'
import { isEcdsaPrivateKey } from './ecdsa.ts'
import { canonicalEvmSignature, evmAddress, isEvmAddress, personalSign, verifyPersonalSign } from './evm.ts'
import { canonicalNeoSignature, isNeoAddress, neoAddress, signNeo, verifyNeo } from './neo.ts'
import { canonicalNulsSignature, nulsAddress, signNuls, verifyNuls } from './nuls.ts'
import { chainIdOfNulsAddress } from './nuls-address.ts'
import { canonicalNuls2Signature, isNuls2Address, nuls2Address, signNuls2, verifyNuls2 } from './nuls2.ts'
import {
  canonicalSolanaSignature,
  isSolanaAddress,
  signSolana,
  solanaAddress,
  verifySolana,
} from './solana.ts'
import { decodeSs58 } from './ss58.ts'
import { canonicalSubstrateSignature, signSubstrate, substrateAddress, verifySubstrate } from './substrate.ts'
import { canonicalTezosSignature, signTezos, tezosAddress, verifyTezos } from './tezos.ts'
import { curveOfTezosAddress } from './tezos-encoding.ts'

/** Who says to have signed what: the verification buffer, and the `time` that Tezos puts beside it. */
export interface Claim {
  buffer: Uint8Array
  sender: string
  time?: number
}

/** Everything that differs from one family of chains to another. Private keys and seeds are 32 bytes. */
export interface IdentityScheme {
  /** Whether the sender made the signature. Never throws. */
  verify(claim: Claim, signature: string): boolean
  /** The signature in the one form it is stored and compared in, or null when it is not one at all. */
  canonical(signature: string): string | null
  /** The signature as it goes into a message. Throws on a key out of range. */
  sign(claim: Claim, privateKey: Uint8Array): string
  /** The commonest address of a key; the functions of the scheme know the others. */
  address(privateKey: Uint8Array): string
  isPrivateKey(key: Uint8Array): boolean
  /** Whether text can be an account of this kind, checksums included where they are not optional. */
  isAddress(address: string): boolean
}

const isSecp256k1Key = (key: Uint8Array) => isEcdsaPrivateKey(key, 'secp256k1')
const isSeed = (key: Uint8Array) => key.length === 32

const evm: IdentityScheme = {
  verify: ({ buffer, sender }, signature) => verifyPersonalSign(buffer, signature, sender),
  canonical: canonicalEvmSignature,
  sign: ({ buffer }, privateKey) => personalSign(buffer, privateKey),
  address: evmAddress,
  isPrivateKey: isSecp256k1Key,
  isAddress: isEvmAddress,
}

/** Supporting a further chain family means one more entry here. */
export const identitySchemes: Record<SignatureScheme, IdentityScheme> = {
  evm,
  solana: {
    verify: ({ buffer, sender }, signature) => verifySolana(buffer, signature, sender),
    canonical: canonicalSolanaSignature,
    sign: ({ buffer }, seed) => signSolana(buffer, seed),
    address: solanaAddress,
    isPrivateKey: isSeed,
    isAddress: isSolanaAddress,
  },
  avalanche: {
    verify: ({ buffer, sender }, signature) => verifyAvalanche(buffer, signature, sender),
    canonical: canonicalAvalancheSignature,
    sign: ({ buffer }, privateKey) => signAvalanche(buffer, privateKey),
    address: (privateKey) => avalancheAddress(privateKey),
    isPrivateKey: isSecp256k1Key,
    isAddress: isAvalancheAddress,
  },
  cosmos: {
    verify: ({ buffer, sender }, signature) => verifyCosmos(buffer, signature, sender),
    canonical: canonicalCosmosSignature,
    sign: ({ buffer, sender }, privateKey) => signCosmos(buffer, privateKey, sender),
    address: (privateKey) => cosmosAddress(privateKey),
    isPrivateKey: isSecp256k1Key,
    isAddress: (address) => prefixOfCosmosAddress(address) !== null,
  },
  substrate: {
    verify: ({ buffer, sender }, signature) => verifySubstrate(buffer, signature, sender),
    canonical: canonicalSubstrateSignature,
    sign: ({ buffer }, seed) => signSubstrate(buffer, seed),
    address: (seed) => substrateAddress(seed),
    isPrivateKey: isSeed,
    isAddress: (address) => decodeSs58(address) !== null,
  },
  tezos: {
    verify: ({ buffer, sender, time }, signature) => verifyTezos(buffer, signature, sender, time),
    canonical: canonicalTezosSignature,
    sign: ({ buffer, sender }, privateKey) =>
      signTezos(buffer, privateKey, curveOfTezosAddress(sender) ?? 'ed25519'),
    address: (seed) => tezosAddress(seed),
    isPrivateKey: isSeed,
    isAddress: (address) => curveOfTezosAddress(address) !== null,
  },
  nuls: {
    verify: ({ buffer, sender }, signature) => verifyNuls(buffer, signature, sender),
    canonical: canonicalNulsSignature,
    sign: ({ buffer }, privateKey) => signNuls(buffer, privateKey),
    address: (privateKey) => nulsAddress(privateKey),
    isPrivateKey: isSecp256k1Key,
    isAddress: (address) => chainIdOfNulsAddress(address) !== null,
  },
  nuls2: {
    verify: ({ buffer, sender }, signature) => verifyNuls2(buffer, signature, sender),
    canonical: canonicalNuls2Signature,
    sign: ({ buffer }, privateKey) => signNuls2(buffer, privateKey),
    address: (privateKey) => nuls2Address(privateKey),
    isPrivateKey: isSecp256k1Key,
    isAddress: isNuls2Address,
  },
  // The code stands for two families; the shape of the address says which (see the table of chains).
  neo: {
    verify: (claim, signature) =>
      isEvmAddress(claim.sender)
        ? evm.verify(claim, signature)
        : verifyNeo(claim.buffer, signature, claim.sender),
    canonical: (signature) => canonicalNeoSignature(signature) ?? evm.canonical(signature),
    sign: (claim, privateKey) =>
      isEvmAddress(claim.sender) ? evm.sign(claim, privateKey) : signNeo(claim.buffer, privateKey),
    address: neoAddress,
    isPrivateKey: (key) => isEcdsaPrivateKey(key, 'p256'),
    isAddress: (address) => isNeoAddress(address) || isEvmAddress(address),
  },
}
