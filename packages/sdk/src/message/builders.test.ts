import { parseEnvelope, parseInlineContent, verifySignature } from '@aleph-ts/protocol'
import { describe, expect, it } from 'vitest'
import { EthereumAccount } from '../account/ethereum-account.ts'
import { SolanaAccount } from '../account/solana-account.ts'
import { buildAggregate } from './build-aggregate.ts'
import { buildForget } from './build-forget.ts'
import { buildMessage } from './build-message.ts'
import { buildAmend, buildPost } from './build-post.ts'
import { buildProgram } from './build-program.ts'
import { buildStore } from './build-store.ts'
import { signMessage } from './sign-message.ts'

const account = EthereumAccount.fromPrivateKey(`0x${'22'.repeat(32)}`)
const hash = 'cd'.repeat(32)
const built = {
  POST: buildPost({ postType: 'note', content: { body: 'héllo 100%', list: [1, null] } }, { account }),
  amend: buildAmend({ itemHash: hash, content: 'new' }, { account }),
  AGGREGATE: buildAggregate({ key: 'profile', content: { name: 'Ada' } }, { account, channel: 'c' }),
  STORE: buildStore({ fileHash: hash, ref: 'logo', mimeType: 'image/png' }, { account }),
  FORGET: buildForget({ hashes: [hash], reason: 'old' }, { account }),
  PROGRAM: buildProgram({ code: hash, runtime: hash, entrypoint: 'main:app' }, { account }),
}

describe('message builders', () => {
  for (const [name, message] of Object.entries(built)) {
    it(`makes a ${name} message that the network's own checks accept`, async () => {
      const signed = await signMessage(message, account)
      const envelope = parseEnvelope(JSON.parse(JSON.stringify(signed.envelope)))
      expect(parseInlineContent(envelope).content.address).toBe(account.address)
      expect(verifySignature({ ...envelope, signature: envelope.signature! })).toBe(true)
    })
  }

  it('makes messages of Solana accounts that verify', async () => {
    const { account: solana } = SolanaAccount.generate()
    const signed = await signMessage(buildPost({ postType: 'note', content: 1 }, { account: solana }), solana)
    const envelope = parseEnvelope(signed.envelope)
    expect(envelope.chain).toBe('SOL')
    expect(verifySignature({ ...envelope, signature: envelope.signature! })).toBe(true)
  })

  it('spells out every default of a program, for clients that fill in none', () => {
    const content = JSON.parse(built.PROGRAM.text)
    expect(content).toEqual({
      address: account.address,
      time: expect.any(Number),
      type: 'vm-function',
      allow_amend: false,
      code: { encoding: 'zip', entrypoint: 'main:app', ref: hash, interface: 'asgi', use_latest: true },
      runtime: { ref: hash, use_latest: true, comment: '' },
      on: { http: true, persistent: false },
      environment: { reproducible: false, internet: false, aleph_api: false, shared_cache: false },
      resources: { vcpus: 1, memory: 256, seconds: 30 },
      payment: { type: 'hold', chain: 'ETH' },
      volumes: [],
    })
  })

  it('never writes a percent sign that a relay could decode', () => {
    expect(built.POST.text).not.toContain('%')
    expect(JSON.parse(built.POST.text).content.body).toBe('héllo 100%')
  })

  it('names the owner when it is not the sender', () => {
    const message = buildPost({ postType: 'note', content: 1 }, { account, owner: '0xowner' })
    expect(message.content.address).toBe('0xowner')
    expect(message.envelope.sender).toBe(account.address)
  })

  it('refuses content no node would take, before anything is sent', () => {
    expect(() => buildPost({ postType: 'note', content: 'a\u0000b' }, { account })).toThrowError(/NUL/)
    expect(() => buildForget({ hashes: ['nonsense'] }, { account })).toThrowError(/hashes/)
    const program = { code: hash, runtime: hash, entrypoint: 'x', vcpus: 0 }
    expect(() => buildProgram(program, { account })).toThrowError(/vcpus/)
    expect(() => buildMessage('AGGREGATE', { key: 'k', content: [] }, { account })).toThrowError(/content/)
  })

  it('keeps long content out of the envelope', () => {
    const message = buildPost({ postType: 'note', content: 'é'.repeat(30_000) }, { account })
    expect(message.envelope).toMatchObject({ item_type: 'storage', item_content: null })
    expect(message.text.length).toBeGreaterThan(30_000)
  })
})
