import type { Chain } from './chains.ts'

export const messageTypes = [
  'POST',
  'AGGREGATE',
  'STORE',
  'FORGET',
  'PROGRAM',
  'INSTANCE',
  'V-PROGRAM',
] as const
export type MessageType = (typeof messageTypes)[number]

export const itemTypes = ['inline', 'storage', 'ipfs'] as const
export type ItemType = (typeof itemTypes)[number]

export const messageStatuses = [
  'pending',
  'processed',
  'rejected',
  'forgotten',
  'removing',
  'removed',
] as const
export type MessageStatus = (typeof messageStatuses)[number]

/**
 * A message as it travels (protocol 01 §1.1). Only `chain`, `sender`, `type` and `item_hash` are signed;
 * `time` (epoch seconds) and `channel` are whatever the last relay says.
 */
export interface Envelope {
  sender: string
  chain: Chain
  signature: string | null
  type: MessageType
  item_type: ItemType
  item_hash: string
  item_content: string | null
  time: number
  channel: string | null
}
