import type { Chain } from '../message/chains.ts'
import { isEvmAddress, toChecksumAddress } from './evm.ts'

/**
 * The form in which addresses are compared and indexed (protocol 01 §5): EIP-55 for EVM addresses, so that one
 * person is one key however the address was typed; every other address exactly as it is, because case means
 * something in base58 and no other case verifies in the rest.
 *
 * Only the address decides. No other family of chains has addresses of that shape, and the owner of a message need
 * not be of the chain of its sender: a Solana key may act for an Ethereum account.
 */
export function addressKey(_chain: Chain, address: string): string {
  // 0X is accepted where signatures are checked, so it must not make another person here.
  const plain = address.startsWith('0X') ? `0x${address.slice(2)}` : address
  return isEvmAddress(plain) ? toChecksumAddress(plain) : address
}
