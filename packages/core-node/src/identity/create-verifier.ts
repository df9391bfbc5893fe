import { type Chain, chains, type NetworkProfile } from '@aleph-ts/protocol'
import type { CoreNodeConfig } from '../config.ts'
import { SignatureVerifier } from './signature-verifier.ts'
import { SmartWallets, type SmartWalletsOptions, type WalletChain } from './smart-wallets.ts'

/**
 * The verifier of a node: its threads, and the chains whose wallet contracts it can ask.
 *
 * @throws {ChainSourceError} when an RPC URL is not http(s)
 */
export function createVerifier(
  options: { config: CoreNodeConfig } & Pick<SmartWalletsOptions, 'pool' | 'logger'>,
): SignatureVerifier {
  const { config, pool, logger } = options
  const found = Object.entries(config.evmRpc).map(([code, rpcUrl]): [string, WalletChain] => {
    const chain = code as Chain
    return [chain, { rpcUrl, evmChainId: evmChainIdOf(chain, config.profile) }]
  })
  return new SignatureVerifier({
    workers: config.verifyWorkers,
    smartWallets: new SmartWallets({ pool, logger, chains: Object.fromEntries(found) }),
  })
}

/** The network's own idea of a chain comes first: the Ethereum of a devnet is no Ethereum. */
function evmChainIdOf(chain: Chain, profile: NetworkProfile): number {
  const token = profile.tokens.find((candidate) => candidate.chain === chain)
  const facts = chains[chain]
  return token?.evmChainId ?? ('evmChainId' in facts ? facts.evmChainId : 1)
}
