import { type Chain, signatureScheme } from '../message/chains.ts'
import { isEvmAddress, toChecksumAddress } from './evm.ts'

/**
 * The form in which addresses are compared and indexed (protocol 01 §5): EIP-55 for EVM addresses, so that one
 * person is one key however the address was typed; every other address exactly as it is.
 */
export function addressKey(chain: Chain, address: string): string {
  return signatureScheme(chain) === 'evm' && isEvmAddress(address) ? toChecksumAddress(address) : address
}
