import type { EthereumProvider } from '@aleph-ts/sdk'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { Session } from '../session.ts'

/** The wallet of an account on an EVM chain, which signs transactions here. */
export interface ChainWallet {
  address: string
  provider: EthereumProvider
}

/** Address of a chain to ask; what the command line says comes first. */
export function rpcOf(where: { chain: string; rpc?: string | undefined }, asked: string | undefined): string {
  const rpc = asked ?? where.rpc
  if (rpc !== undefined && /^https?:\/\//.test(rpc)) return rpc
  throw new CliError('rpc_needed', `Nobody told where ${where.chain} answers`, {
    exitCode: exitCodes.usage,
    hint: `Give the URL of an RPC endpoint of ${where.chain} with --rpc.`,
  })
}

/** @throws {CliError} for an account that is no EVM wallet */
export async function openWallet(session: Session, rpcUrl: string): Promise<ChainWallet> {
  const identity = await session.identity()
  if (identity.chain !== 'ETH') {
    throw new CliError('no_evm_account', `Account ${identity.name} is one of ${identity.chain}`, {
      exitCode: exitCodes.forbidden,
      hint: 'Payments on chain need an Ethereum account: choose it with --account.',
    })
  }
  const { key } = await identity.unlockKey()
  const { keyProvider } = await import('@aleph-ts/sdk/streams')
  const privateKey = `0x${Buffer.from(key).toString('hex')}` as const
  return { address: identity.address, provider: keyProvider({ rpcUrl, privateKey }) }
}
