import {
  type Chain,
  evmAddress,
  personalSign,
  type SignedFields,
  toChecksumAddress,
  verificationBuffer,
} from '@aleph-ts/protocol'
import { AlephError } from '../errors.ts'
import type { Account } from './account.ts'
import { bytesToHex } from './hex.ts'
import { readEthereumKey, readMnemonic } from './private-key.ts'

/** The part of EIP-1193 that is needed: what `window.ethereum` and every wallet connector offer. */
export interface EthereumProvider {
  request(args: { method: string; params?: unknown[] }): Promise<unknown>
}

export interface EthereumAccountOptions {
  /** Chain code written into messages. Every EVM wallet may say `ETH` (protocol 01 §4.1), the default. */
  chain?: Chain
}

type SignBytes = (bytes: Uint8Array) => Promise<string>

/**
 * An Ethereum (or any EVM) wallet.
 *
 * @example
 * const account = EthereumAccount.fromPrivateKey(process.env.KEY!)
 * const wallet = await EthereumAccount.fromProvider(window.ethereum)
 */
export class EthereumAccount implements Account {
  readonly chain: Chain
  readonly address: string
  readonly #signBytes: SignBytes

  private constructor(address: string, signBytes: SignBytes, options: EthereumAccountOptions) {
    this.address = toChecksumAddress(address)
    this.chain = options.chain ?? 'ETH'
    this.#signBytes = signBytes
  }

  /** From 32 bytes, or 64 hexadecimal digits with or without 0x. */
  static fromPrivateKey(
    privateKey: string | Uint8Array,
    options: EthereumAccountOptions = {},
  ): EthereumAccount {
    const key = readEthereumKey(privateKey)
    return new EthereumAccount(evmAddress(key), async (bytes) => personalSign(bytes, key), options)
  }

  /** A new key from the platform's secure random source. Keep the key: nobody can give it back. */
  static generate(options: EthereumAccountOptions = {}): { account: EthereumAccount; privateKey: string } {
    const key = globalThis.crypto.getRandomValues(new Uint8Array(32))
    return { account: EthereumAccount.fromPrivateKey(key, options), privateKey: `0x${bytesToHex(key)}` }
  }

  /** From a BIP-39 phrase; the path defaults to the first account of every Ethereum wallet. */
  static async fromMnemonic(
    phrase: string,
    options: EthereumAccountOptions & { path?: string; passphrase?: string } = {},
  ): Promise<EthereumAccount> {
    return EthereumAccount.fromPrivateKey(await readMnemonic(phrase, options), options)
  }

  /** From a browser wallet: asks the user to connect, later to sign each message. */
  static async fromProvider(
    provider: EthereumProvider,
    options: EthereumAccountOptions & { address?: string } = {},
  ): Promise<EthereumAccount> {
    const address = options.address ?? (await firstAddress(provider))
    const sign: SignBytes = async (bytes) => {
      const params = [`0x${bytesToHex(bytes)}`, address]
      return String(await askWallet(provider, 'personal_sign', params))
    }
    return new EthereumAccount(address, sign, options)
  }

  signMessage(fields: SignedFields): Promise<string> {
    return this.#signBytes(verificationBuffer(fields))
  }

  signOperatorPayload(payload: Uint8Array): Promise<string> {
    return this.#signBytes(payload)
  }
}

async function firstAddress(provider: EthereumProvider): Promise<string> {
  const addresses = await askWallet(provider, 'eth_requestAccounts', [])
  const [first] = Array.isArray(addresses) ? addresses : []
  if (typeof first === 'string') return first
  throw new AlephError('wallet_refused', 'The wallet shared no address', {
    hint: 'Unlock the wallet and allow this site to see an account.',
  })
}

async function askWallet(provider: EthereumProvider, method: string, params: unknown[]): Promise<unknown> {
  try {
    return await provider.request({ method, params })
  } catch (error) {
    throw new AlephError('wallet_refused', `The wallet refused ${method}: ${(error as Error).message}`, {
      hint: 'Confirm the request in the wallet and try again.',
      cause: error,
    })
  }
}
