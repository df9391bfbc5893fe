import { parseSyncPayload } from '@aleph-ts/protocol'

/** A batch of messages, or a message, that somebody put on a chain (protocol 04 §12). */
export interface ContractEvent {
  /** Where reading stands after it, in the numbers of its `ChainSource`. */
  blockNumber: number
  /** Place among the events of the same number. */
  position: number
  /** Height of its block on the chain. */
  height: number
  txHash: string
  /** Epoch seconds. */
  time: number
  /** Who spoke; on Tezos the contract itself, and `content.address` is the sender. */
  publisher: string
  /** `smart-contract` for a message, else what the batch says. */
  protocol: string
  protocolVersion: number
  /** Of a message: `{type, content}`, maybe with `address`; of a batch: where its messages are. */
  content: unknown
}

/** A message that anybody wrote. */
export function messageSaid(content: { type: string; content: string; address?: string }) {
  return { protocol: 'smart-contract', protocolVersion: 1, content }
}

/**
 * What the text of a batch's event says; undefined when it says nothing, or nobody believes its emitter.
 *
 * @param emitters whose batches are believed, compared exactly
 */
export function batchSaid(text: string, emitter: string, emitters: string[]) {
  const payload = emitters.includes(emitter) ? parseSyncPayload(text) : undefined
  // Only we say what a contract message is.
  if (!payload || payload.protocol === 'smart-contract') return undefined
  return { protocol: payload.protocol, protocolVersion: payload.version, content: payload.content }
}
