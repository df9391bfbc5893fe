import { EventEmitter } from 'node:events'
import type { Envelope, MessageType } from '@aleph-ts/protocol'

/** A message whose processing has just been committed. */
export interface ProcessedMessage {
  item_hash: string
  type: MessageType
  content: unknown
  sender: string
  owner: string
  channel: string | null
  /** Position in this node's log of processed messages; strictly increasing. */
  seq: bigint
}

/** A message refused for good. */
export interface RejectedMessage {
  item_hash: string
  errorCode: number
  details: unknown
}

/** A message that could not be processed yet and will be tried again. */
export interface RetriedMessage {
  item_hash: string
  errorCode: number
  nextAttempt: Date
}

export interface CoreEventMap {
  /** Envelopes newly stored from the API door, after their commit: gossip spreads them. */
  accepted: [envelopes: Envelope[]]
  /** One committed batch, in processing order. */
  processed: [batch: ProcessedMessage[]]
  rejected: [batch: RejectedMessage[]]
  retry: [batch: RetriedMessage[]]
  /** Messages that are not paid for: they go unless that changes within their time of grace. */
  removing: [batch: { item_hash: string; type: MessageType; owner: string }[]]
  /** Messages that were going and are paid again. */
  recovered: [batch: { item_hash: string; type: MessageType; owner: string }[]]
  /** Messages that went for want of payment. */
  removed: [batch: { item_hash: string; type: MessageType; owner: string }[]]
  /** Messages that left the state (forgotten), with the FORGET that did it. */
  forgotten: [batch: { item_hash: string; type: MessageType; owner: string }[]]
}

/** What happens inside a core node, for whoever listens; listeners must not throw. */
export class CoreEvents extends EventEmitter<CoreEventMap> {}
