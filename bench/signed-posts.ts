import { createHash } from 'node:crypto'
import { evmAddress, itemHash, personalSign, verificationBuffer } from '@aleph-ts/protocol'

/** `count` distinct signed POST envelopes, as JSON bodies for `POST /api/v0/messages`, by `senders` wallets. */
export function signedPosts(count: number, { senders = 100, sync = false } = {}): string[] {
  const wallets = Array.from({ length: senders }, (_, index) => {
    const privateKey = createHash('sha256').update(`bench wallet ${index}`).digest()
    return { privateKey, address: evmAddress(privateKey) }
  })
  const run = Math.random().toString(36).slice(2)
  return Array.from({ length: count }, (_, index) => {
    const { address, privateKey } = wallets[index % senders]!
    const time = Date.now() / 1000
    const text = `A document of ordinary length, number ${index} of the run ${run}. `.repeat(3)
    const item_content = JSON.stringify({ address, time, type: 'bench', content: { index, text } })
    const unsigned = {
      chain: 'ETH',
      sender: address,
      type: 'POST',
      item_hash: itemHash(item_content),
    } as const
    const signature = personalSign(verificationBuffer(unsigned), privateKey)
    const message = { ...unsigned, item_type: 'inline', item_content, time, channel: 'bench', signature }
    return JSON.stringify({ message, sync })
  })
}
