import { recoverPersonalSign } from '@aleph-ts/protocol'
import { describe, expect, it } from 'vitest'
import { buildPost } from '../message/build-post.ts'
import { signMessage } from '../message/sign-message.ts'
import { EthereumAccount } from './ethereum-account.ts'
import { SolanaAccount } from './solana-account.ts'

const phrase = 'test test test test test test test test test test test junk'

describe('Ethereum accounts', () => {
  it('come from a recovery phrase with the address every wallet shows', async () => {
    const account = await EthereumAccount.fromMnemonic(phrase)
    expect(account.address).toBe('0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266')
  })

  it('refuse a phrase with a wrong word', async () => {
    await expect(EthereumAccount.fromMnemonic(phrase.replace('junk', 'test'))).rejects.toThrow('BIP-39')
  })

  it('never repeat a bad key in the error', () => {
    expect(() => EthereumAccount.fromPrivateKey('0xsecretsecret')).toThrowError(/32 bytes/)
    expect(() => EthereumAccount.fromPrivateKey('0xsecretsecret')).not.toThrowError(/secretsecret/)
  })

  it('are different each time they are generated, and come back from the key', () => {
    const one = EthereumAccount.generate()
    expect(one.account.address).not.toBe(EthereumAccount.generate().account.address)
    expect(EthereumAccount.fromPrivateKey(one.privateKey).address).toBe(one.account.address)
  })

  it('sign through a browser wallet', async () => {
    const key = EthereumAccount.fromPrivateKey('33'.repeat(32))
    const asked: string[] = []
    const provider = {
      async request({ method, params = [] }: { method: string; params?: unknown[] }) {
        asked.push(method)
        if (method === 'eth_requestAccounts') return [key.address.toLowerCase()]
        const bytes = Uint8Array.from(Buffer.from(String(params[0]).slice(2), 'hex'))
        return key.signOperatorPayload(bytes)
      },
    }
    const account = await EthereumAccount.fromProvider(provider)
    expect(account.address).toBe(key.address)
    const { envelope } = await signMessage(buildPost({ postType: 'n', content: 1 }, { account }), account)
    const text = `${envelope.chain}\n${envelope.sender}\n${envelope.type}\n${envelope.item_hash}`
    expect(recoverPersonalSign(new TextEncoder().encode(text), envelope.signature!)).toBe(key.address)
    expect(asked).toEqual(['eth_requestAccounts', 'personal_sign'])
  })

  it('say that the wallet refused', async () => {
    const provider = { request: () => Promise.reject(new Error('User rejected the request')) }
    await expect(EthereumAccount.fromProvider(provider)).rejects.toMatchObject({ code: 'wallet_refused' })
  })
})

describe('Solana accounts', () => {
  it('take the seed, and refuse what is no key', () => {
    const { account, privateKey } = SolanaAccount.generate()
    expect(SolanaAccount.fromPrivateKey(privateKey).address).toBe(account.address)
    expect(() => SolanaAccount.fromPrivateKey('not base58: 0OIl')).toThrowError(/base58/)
  })
})
