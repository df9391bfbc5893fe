import { alephTokenAbi } from '@aleph-ts/contracts'
import { getAbiItem, getAddress } from 'viem'
import type { ChainSource } from './chain-source.ts'
import { EvmRpc, type EvmRpcConfig } from './evm-rpc.ts'

/** One ERC-20 `Transfer`; addresses in EIP-55, value in the contract's smallest unit. */
export interface TokenTransfer {
  blockNumber: number
  logIndex: number
  transactionHash: string
  sender: string
  recipient: string
  value: bigint
}

const transferEvent = getAbiItem({ abi: alephTokenAbi, name: 'Transfer' })

/** The transfers of one token of an EVM chain (protocol 04 §20), or only those to one recipient. */
export function tokenTransferSource(
  config: EvmRpcConfig & { token: string; startBlock: number; recipient?: string },
): ChainSource<TokenTransfer> {
  const rpc = new EvmRpc(config)
  const address = getAddress(config.token)
  const args = config.recipient ? { to: getAddress(config.recipient) } : undefined
  return {
    identity: `eip155:${config.evmChainId}/${address}/${config.startBlock}`,
    head: () => rpc.head(),
    block: (number) => rpc.block(number),
    close: () => rpc.close(),
    async events(from, to) {
      const logs = await rpc.logs({ address, event: transferEvent, args, from, to })
      return logs
        .filter((log) => !log.removed)
        .map((log) => ({
          blockNumber: Number(log.blockNumber),
          logIndex: log.logIndex,
          transactionHash: log.transactionHash,
          sender: log.args.from,
          recipient: log.args.to,
          value: log.args.value,
        }))
    },
  }
}
