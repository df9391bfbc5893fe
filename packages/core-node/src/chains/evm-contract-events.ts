import { alephSyncAbi } from '@aleph-ts/contracts'
import type { Chain } from '@aleph-ts/protocol'
import { getAbiItem, getAddress } from 'viem'
import type { ChainSource } from './chain-source.ts'
import { batchSaid, type ContractEvent, messageSaid } from './contract-event.ts'
import { EvmRpc, type EvmRpcConfig } from './evm-rpc.ts'

/** What one contract of the network says on one EVM chain. */
export interface EvmContract extends Pick<EvmRpcConfig, 'rpcUrl' | 'evmChainId'> {
  chain: Chain
  contract: string
  startBlock: number
  /** Whose batches are believed (EIP-55, exact); messages are taken from anybody. */
  authorizedEmitters: string[]
}

const syncEvent = getAbiItem({ abi: alephSyncAbi, name: 'SyncEvent' })
const messageEvent = getAbiItem({ abi: alephSyncAbi, name: 'MessageEvent' })

/** The events of a sync contract of an EVM chain (protocol 04 §13, §17.1), batches and messages alike. */
export function evmContractEvents(config: EvmContract): ChainSource<ContractEvent> {
  const rpc = new EvmRpc(config)
  const address = getAddress(config.contract)
  const emitters = config.authorizedEmitters.toSorted()
  return {
    identity: `eip155:${config.evmChainId}/${address}/${config.startBlock}/${emitters.join(',')}`,
    head: () => rpc.head(),
    block: (number) => rpc.block(number),
    close: () => rpc.close(),
    async events(from, to) {
      const [batches, messages] = await Promise.all([
        rpc.logs({ address, event: syncEvent, from, to }),
        rpc.logs({ address, event: messageEvent, from, to }),
      ])
      const events: ContractEvent[] = []
      for (const log of batches) {
        const said = batchSaid(log.args.message, log.args.addr, emitters)
        if (said && !log.removed) events.push({ ...placeOf(log), ...said })
      }
      for (const log of messages) {
        const { msgtype: type, msgcontent: content } = log.args
        if (!log.removed) events.push({ ...placeOf(log), ...messageSaid({ type, content }) })
      }
      return events.sort((a, b) => a.blockNumber - b.blockNumber || a.position - b.position)
    },
  }
}

function placeOf(log: {
  blockNumber: bigint
  logIndex: number
  transactionHash: string
  args: { timestamp: bigint; addr: string }
}): Pick<ContractEvent, 'blockNumber' | 'position' | 'height' | 'txHash' | 'time' | 'publisher'> {
  return {
    blockNumber: Number(log.blockNumber),
    position: log.logIndex,
    height: Number(log.blockNumber),
    txHash: log.transactionHash,
    time: Number(log.args.timestamp),
    publisher: log.args.addr,
  }
}
