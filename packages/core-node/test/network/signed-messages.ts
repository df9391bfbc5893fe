import { randomBytes } from 'node:crypto'
import { type Envelope, evmAddress, itemHash, type MessageType, signEnvelope } from '@aleph-ts/protocol'

/** A wallet for one test. */
export interface TestWallet {
  privateKey: Uint8Array
  address: string
}

export function createWallet(): TestWallet {
  const privateKey = Uint8Array.from(randomBytes(32))
  return { privateKey, address: evmAddress(privateKey) }
}

/** A signed message whose content is `content` with the wallet's address and a time. */
export function signMessage(
  wallet: TestWallet,
  type: MessageType,
  content: Record<string, unknown>,
  time = Date.now() / 1000,
): Envelope {
  const item_content = JSON.stringify({ address: wallet.address, time, ...content })
  return signEnvelope(
    {
      sender: wallet.address,
      chain: 'ETH',
      type,
      item_type: 'inline',
      item_hash: itemHash(item_content),
      item_content,
      time,
      channel: 'TEST',
    },
    wallet.privateKey,
  )
}

export function signPost(wallet: TestWallet, text: string): Envelope {
  return signMessage(wallet, 'POST', { type: 'note', content: { text } })
}
