import { utf8ToBytes } from '@noble/hashes/utils.js'
import { base64, bech32 } from '@scure/base'
import { sha256Bytes } from '#sha256'
import { lowerTwin } from './ecdsa.ts'
import { hash160 } from './hash160.ts'
import { compressedPublicKey, secp256k1 } from './secp256k1.ts'
import { decodeBase64, decodeBech32, parseJsonObject } from './untrusted-text.ts'

const keyType = 'tendermint/PubKeySecp256k1'
/** What bech32 allows before the first 1, in lower case, as long as its specification lets it be. */
const senderPrefix = /^([!-02-@[-~]{1,83})1/

/** The address of a secp256k1 key on a Cosmos chain, by the prefix of the chain's addresses (protocol 01 §4.7). */
export function cosmosAddress(privateKey: Uint8Array, prefix = 'cosmos'): string {
  return addressOfPublicKey(compressedPublicKey(privateKey), prefix)
}

/** The prefix of a Cosmos address of a key, which tells the chain; null when text is not one. */
export function prefixOfCosmosAddress(address: string): string | null {
  const decoded = decodeBech32(address)
  return decoded?.bytes.length === 20 ? decoded.prefix : null
}

/**
 * Signs a verification buffer as Cosmos wallets sign text.
 *
 * @returns JSON text: `{"signature", "pub_key": {"type", "value"}, "account_number": "0", "sequence": "0"}`.
 */
export function signCosmos(buffer: Uint8Array, privateKey: Uint8Array, sender: string): string {
  const { bytes } = secp256k1.sign(digestOf(buffer, sender), privateKey)
  return formatSignature({ bytes, publicKey: compressedPublicKey(privateKey) })
}

/** Whether `signature` is the JSON text of {@link signCosmos} by `sender`, of any prefix. Never throws. */
export function verifyCosmos(buffer: Uint8Array, signature: string, sender: string): boolean {
  const parsed = parseSignature(signature)
  if (parsed === null || !isAddressOf(sender, parsed.publicKey)) return false
  const { bytes } = lowerTwin(parsed.bytes, 'secp256k1')
  return secp256k1.verify(digestOf(buffer, sender), bytes, parsed.publicKey)
}

/** The one form a Cosmos signature is stored and compared in, or null when it is not one. */
export function canonicalCosmosSignature(signature: string): string | null {
  const parsed = parseSignature(signature)
  if (parsed === null) return null
  return formatSignature({ ...parsed, bytes: lowerTwin(parsed.bytes, 'secp256k1').bytes })
}

interface CosmosSignature {
  bytes: Uint8Array
  publicKey: Uint8Array
}

function formatSignature({ bytes, publicKey }: CosmosSignature): string {
  return JSON.stringify({
    signature: base64.encode(bytes),
    pub_key: { type: keyType, value: base64.encode(publicKey) },
    account_number: '0',
    sequence: '0',
  })
}

function parseSignature(text: string): CosmosSignature | null {
  const { signature, pub_key: key } = parseJsonObject(text) ?? {}
  if (typeof signature !== 'string' || typeof key !== 'object' || key === null) return null
  const { type, value } = key as Record<string, unknown>
  if (type !== keyType || typeof value !== 'string') return null
  const bytes = decodeBase64(signature)
  const publicKey = decodeBase64(value)
  return bytes?.length === 64 && publicKey?.length === 33 ? { bytes, publicKey } : null
}

function isAddressOf(sender: string, publicKey: Uint8Array): boolean {
  const prefix = senderPrefix.exec(sender)?.[1]
  return prefix !== undefined && addressOfPublicKey(publicKey, prefix) === sender
}

function addressOfPublicKey(publicKey: Uint8Array, prefix: string): string {
  return bech32.encode(prefix, bech32.toWords(hash160(publicKey)), false)
}

/** The amino document that stands for signed text: keys in order, no spaces, only ASCII, so written by hand. */
function digestOf(buffer: Uint8Array, sender: string): Uint8Array {
  const message = asciiJson(new TextDecoder().decode(buffer))
  const document =
    '{"account_number":"0","chain_id":"signed-message-v1","fee":{"amount":[],"gas":"0"},"memo":"",' +
    `"msgs":[{"type":"signutil/MsgSignText","value":{"message":${message},"signer":${asciiJson(sender)}}}],` +
    '"sequence":"0"}'
  return sha256Bytes(utf8ToBytes(document))
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
