import { personalSign, type SignedMessage, sha256Hex, verificationBuffer } from '@aleph-ts/protocol'
import { afterEach, expect, test } from 'vitest'
import { newWallet } from '../../test/testing/wallet.ts'
import { SignatureVerifier } from './signature-verifier.ts'
import { VerificationError, VerifyPool } from './verify-pool.ts'

const wallet = newWallet()
let pool: VerifyPool

afterEach(() => pool[Symbol.asyncDispose]())

function signed(index: number, isGood = true): SignedMessage {
  const fields = {
    chain: 'ETH' as const,
    sender: wallet.address,
    type: 'POST' as const,
    item_hash: sha256Hex(`${index}`),
  }
  const made = isGood ? fields : { ...fields, item_hash: sha256Hex('another') }
  return { ...fields, signature: personalSign(verificationBuffer(made), wallet.privateKey) }
}

test('every message of a burst gets its own verdict', async () => {
  pool = new VerifyPool(2)
  const verifier = new SignatureVerifier(pool)
  const messages = Array.from({ length: 300 }, (_, index) => signed(index, index % 3 !== 0))
  const verdicts = await Promise.all(messages.map((message) => verifier.verify(message)))
  expect(verdicts).toEqual(messages.map((_, index) => index % 3 !== 0))
})

test('a lone message is checked as well', async () => {
  pool = new VerifyPool(1)
  const verifier = new SignatureVerifier(pool)
  expect(await verifier.verify(signed(1))).toBe(true)
  expect(await verifier.verify({ ...signed(1), signature: null })).toBe(false)
  await expect(verifier.verify({ ...signed(1), chain: 'AURORA' })).rejects.toMatchObject({
    code: 'INVALID_FORMAT',
  })
})

test('messages that kill a thread fail, and those after them are checked by another one', async () => {
  pool = new VerifyPool(1)
  const poison = { ...signed(1), chain: 'no chain' } as unknown as SignedMessage
  await expect(pool.verify([poison])).rejects.toThrow(VerificationError)
  expect(await pool.verify([signed(1), signed(2, false)])).toEqual([true, false])
})

test('what a stopping node has not checked is refused, not forgotten', async () => {
  pool = new VerifyPool(1)
  const answers = Promise.allSettled([pool.verify([signed(1)]), pool.verify([signed(2)])])
  await pool[Symbol.asyncDispose]()
  expect((await answers).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})
