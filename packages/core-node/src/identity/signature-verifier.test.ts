import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  addressOfPrivateKey,
  type Chain,
  type Envelope,
  generatePrivateKey,
  signEnvelope,
} from '@aleph-ts/protocol'
import { afterEach, expect, test } from 'vitest'
import { SignatureVerifier } from './signature-verifier.ts'

const started: SignatureVerifier[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((verifier) => verifier.stop()))
})

function verifierWith(options: { workers: number; workerModule?: URL }): SignatureVerifier {
  const verifier = new SignatureVerifier(options)
  started.push(verifier)
  return verifier
}

/** As many messages of one account, each but the first of every ten well signed. */
function messages(chain: Chain, count: number): Envelope[] {
  const key = generatePrivateKey(chain)
  const sender = addressOfPrivateKey(chain, key)
  return Array.from({ length: count }, (_, index) => {
    const unsigned = {
      sender,
      chain,
      type: 'POST' as const,
      item_type: 'storage' as const,
      item_hash: index.toString(16).padStart(64, '0'),
      item_content: null,
      time: 1_780_000_000,
      channel: null,
    }
    const signed = signEnvelope(unsigned, key)
    return index % 10 === 0 ? { ...signed, item_hash: 'f'.repeat(64) } : signed
  })
}

/** A thread that answers yes to everything, except that it ends at `onMessage`. */
function threadThat(onMessage: string): URL {
  const code = `
    import { parentPort } from 'node:worker_threads'
    import { existsSync, writeFileSync } from 'node:fs'
    parentPort.on('message', ({ messages }) => {
      ${onMessage}
      parentPort.postMessage(new Uint8Array(messages.length).fill(1))
    })`
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`)
}

test.each([0, 1, 2])('with %i threads every message gets its own verdict, in order', async (workers) => {
  const verifier = verifierWith({ workers })
  const mixed = [...messages('ETH', 60), ...messages('SOL', 30), ...messages('DOT', 5)]
  const verdicts = await verifier.verifyBatch(mixed)
  expect(verdicts.map(({ outcome }) => outcome)).toEqual(
    mixed.map(({ item_hash }) => (item_hash.startsWith('f') ? 'invalid' : 'valid')),
  )
  expect(await Promise.all(mixed.map((message) => verifier.verify(message)))).toEqual(verdicts)
})

test('a missing signature and a chain whose signatures are not taken are told apart from a bad one', async () => {
  const verifier = verifierWith({ workers: 1 })
  const [forged, good] = messages('ETH', 2) as [Envelope, Envelope]
  const verdicts = await verifier.verifyBatch([
    forged,
    { ...good, signature: null },
    { ...good, chain: 'AURORA' },
    good,
  ])
  expect(verdicts).toMatchObject([
    { outcome: 'invalid', proven: true, error: { code: 'INVALID_SIGNATURE' } },
    { outcome: 'invalid', error: { code: 'INVALID_SIGNATURE', message: 'Missing signature' } },
    { outcome: 'invalid', error: { code: 'INVALID_FORMAT' } },
    { outcome: 'valid' },
  ])
})

test('the event loop goes on while slow signatures are checked', async () => {
  const verifier = verifierWith({ workers: 1 })
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await verifier.verifyBatch(messages('DOT', 40))
  clearInterval(timer)
  expect(turns).toBeGreaterThan(1)
})

test('a thread that dies is replaced, and its messages are checked after all', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aleph-worker-'))
  try {
    const marker = JSON.stringify(join(folder, 'died'))
    const workerModule = threadThat(
      `if (!existsSync(${marker})) { writeFileSync(${marker}, ''); process.exit(1) }`,
    )
    const verdicts = await verifierWith({ workers: 1, workerModule }).verifyBatch(messages('DOT', 5))
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(Array(5).fill('valid'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('messages that kill thread after thread are told to be tried later, and others go on', async () => {
  const workerModule = threadThat(`if (messages.length < 100) throw new Error('out of luck')`)
  const verifier = verifierWith({ workers: 2, workerModule })
  const verdicts = await verifier.verifyBatch(messages('DOT', 2))
  expect(verdicts).toMatchObject(
    Array(2).fill({ outcome: 'unknown', error: { code: 'INTERNAL_ERROR', retryable: true } }),
  )
  expect(await verifier.verifyBatch(messages('ETH', 100))).toContainEqual({ outcome: 'valid' })
})

test('when more waits than can be done soon, the rest is told to come later', async () => {
  const verifier = verifierWith({ workers: 1, workerModule: threadThat('while (true) {}') })
  const message = messages('ETH', 1)[0]!
  const many = Array.from({ length: 21_000 }, () => ({ ...message }))
  const first = verifier.verifyBatch(many)
  const late = await verifier.verifyBatch(many.slice(0, 100))
  expect(late[0]).toMatchObject({ outcome: 'unknown', error: { retryable: true } })
  await verifier.stop()
  expect((await first)[0]).toMatchObject({ outcome: 'unknown' })
})

test('stopping ends threads at work, and leaves nothing waiting', async () => {
  const verifier = verifierWith({ workers: 2, workerModule: threadThat('while (true) {}') })
  const running = verifier.verifyBatch(messages('DOT', 20))
  await verifier.stop()
  expect(await running).toMatchObject(Array(20).fill({ outcome: 'unknown' }))
  expect(await verifier.verifyBatch(messages('DOT', 1))).toMatchObject([{ outcome: 'unknown' }])
})
