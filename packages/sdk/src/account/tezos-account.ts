import {
  decodeTezosPrivateKey,
  isTezosPrivateKey,
  signTezos,
  type TezosCurve,
  tezosAddress,
  verificationBuffer,
} from '@aleph-ts/protocol'
import { AlephError } from '../errors.ts'
import { type GeneratedAccount, generateAccount, KeyAccount } from './key-account.ts'
import { readChainKey } from './private-key.ts'

export interface TezosAccountOptions {
  /** Kind of a key given as bytes or hex: `ed25519` (tz1, the default), `secp256k1` (tz2) or `p256` (tz3). */
  curve?: TezosCurve
  /** Sign as browser wallets do, showing this name; without it the plain form is signed. */
  dAppUrl?: string
}

/**
 * A Tezos key.
 *
 * @example
 * const account = TezosAccount.fromPrivateKey('edsk…')
 */
export class TezosAccount extends KeyAccount {
  /** From unencrypted `edsk…`, `spsk…` or `p2sk…` text, from 32 bytes, or from 64 hexadecimal digits. */
  static fromPrivateKey(privateKey: string | Uint8Array, options: TezosAccountOptions = {}): TezosAccount {
    const { key, curve } = readTezosKey(privateKey, options.curve)
    return new TezosAccount('TEZOS', tezosAddress(key, curve), (fields) => {
      const buffer = verificationBuffer(fields)
      const { dAppUrl } = options
      if (dAppUrl === undefined) return signTezos(buffer, key, curve)
      return signTezos(buffer, key, curve, { signingType: 'micheline', time: timeOf(fields), dAppUrl })
    })
  }

  /** A new key from the platform's secure random source. */
  static generate(options: TezosAccountOptions = {}): GeneratedAccount<TezosAccount> {
    return generateAccount('TEZOS', (key) => TezosAccount.fromPrivateKey(key, options))
  }
}

function readTezosKey(given: string | Uint8Array, curve: TezosCurve = 'ed25519') {
  const decoded = typeof given === 'string' ? decodeTezosPrivateKey(given.trim()) : null
  const read =
    decoded === null
      ? { key: readChainKey('TEZOS', given), curve }
      : { key: decoded.privateKey, curve: decoded.curve }
  if (isTezosPrivateKey(read.key, read.curve)) return read
  throw new AlephError('invalid_argument', `The private key is not a key of ${read.curve}`, {
    hint: 'Generate a new one: this number is out of range.',
  })
}

function timeOf({ time }: { time?: number }): number {
  if (time !== undefined) return time
  throw new AlephError('invalid_argument', 'time: required to sign as Tezos wallets do', {
    hint: 'Pass the time of the message, in seconds, beside the four signed fields.',
  })
}
