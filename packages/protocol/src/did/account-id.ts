import { isAddress } from '../identity/account-keys.ts'
import { isEvmAddress } from '../identity/evm.ts'
import { type Chain, chainCodes, chains, signatureScheme } from '../message/chains.ts'
import { chainNamespaces, solanaReferences } from './chain-namespace.ts'

/** What CAIP-10 lets be: namespace, reference and address. */
const accountIdPattern = /^([-a-z0-9]{3,8}):([-_a-zA-Z0-9]{1,32}):([-.%a-zA-Z0-9]{1,128})$/

/**
 * The CAIP-10 id of an account, such as `eip155:1:0x…`, or null when the address is not an account of the chain.
 *
 * An EVM address is of `eip155` whichever code it signs with; on NEO, a code without a chain id, of Ethereum.
 */
export function accountId(chain: Chain, address: string): string | null {
  const chainId = chainIdOf(chain, address)
  if (chainId === null) return null
  const id = `${chainId}:${address}`
  return accountIdPattern.test(id) ? id : null
}

/** The chain code and address that a CAIP-10 id stands for, null when it is of no account of ours. */
export function parseAccountId(id: string): { chain: Chain; address: string } | null {
  const address = accountIdPattern.exec(id)?.[3]
  if (address === undefined) return null
  // Where several codes share a chain, the first of the table stands for it.
  const chain = chainCodes.find((code) => accountId(code, address) === id)
  return chain === undefined ? null : { chain, address }
}

/** The first chain whose accounts look like this address, null when none does. */
export function chainOfAddress(address: string): Chain | null {
  return chainCodes.find((chain) => isAddress(chain, address)) ?? null
}

function chainIdOf(chain: Chain, address: string): string | null {
  if (isEvmAddress(address)) return evmChainIdOf(chain)
  if (!isAddress(chain, address)) return null
  const scheme = signatureScheme(chain)
  if (scheme === null || scheme === 'evm') return null
  if (scheme === 'solana') return `solana:${solanaReferences[chain as keyof typeof solanaReferences]}`
  const { namespace, reference } = chainNamespaces[scheme]
  const found = reference(address)
  return found === null ? null : `${namespace}:${found}`
}

function evmChainIdOf(chain: Chain): string | null {
  const facts = chains[chain]
  if ('evmChainId' in facts) return `eip155:${facts.evmChainId}`
  return facts.scheme === 'neo' ? `eip155:${chains.ETH.evmChainId}` : null
}
