import { type Chain, chains } from '@aleph-ts/protocol'
import { EvmRpc } from '../chains/evm-rpc.ts'
import type { CoreNodeConfig } from '../config.ts'
import { SignatureVerifier } from './signature-verifier.ts'
import { SmartWallets } from './smart-wallets.ts'
import { VerifyPool } from './verify-pool.ts'

/** Longest wait for what a wallet contract says, ms. */
const walletTimeoutMs = 5_000

/** The verifier of a node: its threads, and the chains whose wallet contracts it can ask. */
export function createVerifier({ evmRpc, verifyWorkers, profile }: CoreNodeConfig): SignatureVerifier {
  const rpcs = (Object.keys(evmRpc) as Chain[]).map((chain): [Chain, EvmRpc] => {
    const token = profile.tokens.find((candidate) => candidate.chain === chain)
    const { evmChainId } = token ?? (chains[chain] as { evmChainId: number })
    return [chain, new EvmRpc({ rpcUrl: evmRpc[chain]!, evmChainId, timeoutMs: walletTimeoutMs })]
  })
  const wallets = rpcs.length > 0 ? new SmartWallets(new Map(rpcs)) : undefined
  return new SignatureVerifier(new VerifyPool(verifyWorkers), wallets)
}
