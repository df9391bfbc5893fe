import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { sha256Bytes } from '#sha256'
import { pythonBytesLiteral } from './python-bytes.ts'
import { withVarintLength } from './varint.ts'

const prefix = utf8ToBytes('\x18NULS Signed Message:\n')

/** What wallets of both versions of NULS sign (protocol 01 §4.10). */
export function nulsDigest(buffer: Uint8Array): Uint8Array {
  return sha256Bytes(concatBytes(prefix, withVarintLength(buffer)))
}

/** What an old Python client signed for NULS 1: the bytes as Python prints them. */
export function nulsLiteralDigest(buffer: Uint8Array): Uint8Array {
  return sha256Bytes(concatBytes(prefix, utf8ToBytes(pythonBytesLiteral(withVarintLength(buffer)))))
}
