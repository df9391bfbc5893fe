import { describe, expect, it } from 'vitest'
import {
  canonicalSignature,
  isCounterfactualSignature,
  judgeMessage,
  parseEnvelope,
  verifySignature,
} from '../src/index.ts'
import { readFixture, type SignedMessageFixture } from './fixtures.ts'

const fixtures = readFixture<SignedMessageFixture[]>('signed-messages')

/** What we decided where clients, history and the reference differ (README, "Signatures"). */
const policies: Record<string, string> = {
  'real-neo-61b62d8f': 'valid',
  'gen-aurora-a': 'format',
  'gen-stt-a': 'format',
  'gen-dot-no0x-a': 'valid',
  'gen-tezos-micheline-1970-a': 'valid',
  'gen-eth-eip155-v-a': 'valid',
  // Only a call to the chain could tell.
  'real-eth-f4daf9c0': 'signature',
}

/** What a node concludes about a message: fine, or the first thing that is wrong with it. */
function judge(message: unknown): string {
  return judgeMessage(message).fault ?? 'valid'
}

describe('messages of the production network and of every client on every chain', () => {
  const judged = fixtures.filter(({ expect }) => expect === 'valid' || expect === 'invalid')
  const undecided = fixtures.filter((fixture) => !judged.includes(fixture))

  it.each(judged)('$id is $expect $reason', ({ id, expect: verdict, reason, message }) => {
    // This one has a bad signature and a hash that is not of its item_type; the hash is looked at first.
    const expected = id === 'real-eth-deadbeef' ? 'format' : (reason ?? verdict)
    expect(judge(message)).toBe(expected)
  })

  it.each(undecided)(
    '$id, on which clients and nodes differ, is judged as the README says',
    ({ id, message }) => {
      expect(judge(message)).toBe(policies[id])
    },
  )

  it.each(['gen-aurora-a', 'gen-stt-a'])(
    '%s, of a chain whose signatures are not taken, is INVALID_FORMAT',
    (id) => {
      const envelope = parseEnvelope(message(id))
      expect(() => verifySignature(envelope)).toThrow(expect.objectContaining({ code: 'INVALID_FORMAT' }))
    },
  )

  it('a smart wallet that is not deployed yet is told from a bad signature', () => {
    expect(isCounterfactualSignature(String(message('real-eth-f4daf9c0').signature))).toBe(true)
  })

  it('every valid signature stays valid in the form it is stored in, and has only that one', () => {
    for (const fixture of fixtures.filter(({ message }) => judge(message) === 'valid')) {
      const envelope = parseEnvelope(fixture.message)
      const stored = canonicalSignature(envelope.chain, envelope.signature!)
      expect(verifySignature({ ...envelope, signature: stored }), fixture.id).toBe(true)
      expect(canonicalSignature(envelope.chain, stored), fixture.id).toBe(stored)
    }
  })

  it('a Solana signature sent as an object is stored as text, and one of another version stays refused', () => {
    const good = message('gen-sol-a')
    const parts = JSON.parse(String(good.signature))
    expect(parseEnvelope({ ...good, signature: parts }).signature).toBe(good.signature)
    expect(judge({ ...good, signature: { ...parts, version: 2 } })).toBe('signature')
  })
})

function message(id: string): SignedMessageFixture['message'] {
  return fixtures.find((fixture) => fixture.id === id)!.message
}
