import { alephSyncAbi } from '@aleph-ts/contracts'
import type { Chain } from '@aleph-ts/protocol'
import { parseSyncPayload } from '@aleph-ts/protocol'
import { getAbiItem, getAddress } from 'viem'
import type { ChainSource } from './chain-source.ts'
import { EvmRpc, type EvmRpcConfig } from './evm-rpc.ts'

/** A batch of messages, or a message, that somebody put on a chain (protocol 04 §12). */
export interface ContractEvent {
  blockNumber: number
  /** Place among the events of the block. */
  position: number
  txHash: string
  /** Epoch seconds. */
  time: number
  publisher: string
  /** `smart-contract` for a message, else what the batch says. */
  protocol: string
  protocolVersion: number
  /** Of a message: `{type, content}`; of a batch: where its messages are. */
  content: unknown
}

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
        const payload = emitters.includes(log.args.addr) ? parseSyncPayload(log.args.message) : undefined
        // Only we say what a contract message is.
        if (!payload || log.removed || payload.protocol === 'smart-contract') continue
        const { protocol, version: protocolVersion, content } = payload
        events.push({ ...placeOf(log), protocol, protocolVersion, content })
      }
      for (const log of messages) {
        if (log.removed) continue
        const content = { type: log.args.msgtype, content: log.args.msgcontent }
        events.push({ ...placeOf(log), protocol: 'smart-contract', protocolVersion: 1, content })
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
}): Pick<ContractEvent, 'blockNumber' | 'position' | 'txHash' | 'time' | 'publisher'> {
  return {
    blockNumber: Number(log.blockNumber),
    position: log.logIndex,
    txHash: log.transactionHash,
    time: Number(log.args.timestamp),
    publisher: log.args.addr,
  }
}
