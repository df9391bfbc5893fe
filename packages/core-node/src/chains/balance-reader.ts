import type pg from 'pg'
import type { Logger } from 'pino'
import { type ChainProgress, ChainReader } from './chain-reader.ts'
import type { FinalityPolicy } from './chain-source.ts'
import { tokenLedger } from './token-ledger.ts'
import { type TokenTransfer, tokenTransferSource } from './token-transfers.ts'

export interface BalanceReaderConfig {
  pool: pg.Pool
  logger: Logger
  /** JSON-RPC endpoint, http(s). */
  rpcUrl: string
  /** One entry of the profile's `tokens`, with its contract. */
  token: { chain: string; evmChainId: number; contract: string; decimals: number; startBlock: number }
  pollMs?: number
  maxRange?: number
  finality?: FinalityPolicy
  /** Addresses (canonical) whose balance has just changed, after the commit. Must not throw. */
  onBalancesChanged?: (addresses: string[]) => void
  onProgress?: (progress: ChainProgress) => void
}

/**
 * A reader that keeps the balances of all ALEPH holders of one EVM chain (protocol 04 §19.1, read from the
 * chain itself instead of from an oracle).
 *
 *     await using reader = createBalanceReader({ pool, logger, rpcUrl, token })
 *     await reader.sync() // balances are those of the newest block
 *     reader.start() // and stay so
 *     const balances = await loadBalances(pool, [address])
 */
export function createBalanceReader(config: BalanceReaderConfig): ChainReader<TokenTransfer> {
  const { token, onBalancesChanged, ...rest } = config
  return new ChainReader({
    ...rest,
    chain: token.chain,
    stream: 'token',
    startBlock: token.startBlock,
    source: tokenTransferSource({
      rpcUrl: config.rpcUrl,
      evmChainId: token.evmChainId,
      token: token.contract,
      startBlock: token.startBlock,
    }),
    ledger: tokenLedger(token.decimals),
    onChange: onBalancesChanged,
  })
}
