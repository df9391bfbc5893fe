import { randomBytes } from 'node:crypto'
import {
  type Envelope,
  evmAddress,
  itemHash,
  type MessageType,
  personalSign,
  verificationBuffer,
} from '@aleph-ts/protocol'

/** Somebody who signs messages. */
export interface Wallet {
  address: string
  privateKey: Uint8Array
}

export function newWallet(): Wallet {
  const privateKey = Uint8Array.from(randomBytes(32))
  return { address: evmAddress(privateKey), privateKey }
}

let clock = Date.now() / 1000 - 1000

/** Every message of a test run has its own, growing time. */
export function nextTime(): number {
  clock += 0.001
  return clock
}

/** A signed inline message; `content` is completed with the wallet's address and a time. */
export function sign(
  wallet: Wallet,
  type: MessageType,
  content: Record<string, unknown>,
  fields: Partial<Envelope> = {},
): Envelope {
  const time = nextTime()
  const text = JSON.stringify({ address: wallet.address, time, ...content })
  const unsigned = {
    sender: wallet.address,
    chain: 'ETH' as const,
    type,
    item_type: 'inline' as const,
    item_hash: itemHash(text),
    item_content: text as string | null,
    time,
    channel: 'TEST' as string | null,
    ...fields,
  }
  const signature = personalSign(verificationBuffer(unsigned), wallet.privateKey)
  return { ...unsigned, signature, ...('signature' in fields ? { signature: fields.signature ?? null } : {}) }
}

export function post(wallet: Wallet, content: unknown, fields: Record<string, unknown> = {}): Envelope {
  return sign(wallet, 'POST', { type: 'note', content, ...fields })
}
