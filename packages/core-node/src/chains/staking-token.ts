import type { CoreNodeConfig } from '../config.ts'

/** The chain whose token secures nodes and stakes, and pays rewards (protocol 06 §2.2). */
export const stakingChain = 'ETH'

/** The token whose transfers this node reads; undefined when it reads none. */
export function stakingToken({ ethereumRpc, profile }: Pick<CoreNodeConfig, 'ethereumRpc' | 'profile'>) {
  const token = profile.tokens.find(({ chain }) => chain === stakingChain)
  return ethereumRpc && token?.contract
    ? { ...token, contract: token.contract, rpcUrl: ethereumRpc }
    : undefined
}
