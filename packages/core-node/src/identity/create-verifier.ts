import { availableParallelism } from 'node:os'
import { type Chain, chains, type NetworkProfile } from '@aleph-ts/protocol'
import type { CoreNodeConfig } from '../config.ts'
import { SignatureVerifier } from './signature-verifier.ts'
import { SmartWallets, type SmartWalletsOptions, type WalletChain } from './smart-wallets.ts'

/**
 * The verifier of a node, by its settings.
 *
 * @throws {ChainSourceError} when an RPC URL is not http(s)
 */
export function createVerifier(
  options: { config: CoreNodeConfig } & Pick<SmartWalletsOptions, 'pool' | 'logger'>,
): SignatureVerifier {
  const { config, pool, logger } = options
  return new SignatureVerifier({
    workers: config.verifyWorkers ?? Math.max(1, availableParallelism() - 1),
    smartWallets: new SmartWallets({ pool, logger, chains: walletChains(config) }),
  })
}

function walletChains({ ethereumRpc, evmRpc = {}, profile }: CoreNodeConfig): SmartWalletsOptions['chains'] {
  const urls: Partial<Record<Chain, string>> = { ...evmRpc }
  // Wallets are asked over HTTP only.
  if (ethereumRpc?.startsWith('http')) urls.ETH ??= ethereumRpc
  const found = Object.entries(urls).map(([code, rpcUrl]): [string, WalletChain] => {
    const chain = code as Chain
    return [chain, { rpcUrl, evmChainId: evmChainIdOf(chain, profile) }]
  })
  return Object.fromEntries(found)
}

/** The network's own idea of a chain comes first: the Ethereum of a devnet is no Ethereum. */
function evmChainIdOf(chain: Chain, profile: NetworkProfile): number {
  const token = profile.tokens.find((candidate) => candidate.chain === chain)
  const facts = chains[chain]
  return token?.evmChainId ?? ('evmChainId' in facts ? facts.evmChainId : 1)
}
