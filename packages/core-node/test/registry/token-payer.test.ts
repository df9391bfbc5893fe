import { deployContracts, readAlephBalance, transferAleph } from '@aleph-ts/contracts'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { hexToBytes } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TokenPayer } from '../../src/rewards/token-payer.ts'

const receiver = `0x${'7'.repeat(40)}`
const aleph = 10n ** 18n

let chain: LocalChain
let token: `0x${string}`
let payer: TokenPayer

beforeAll(async () => {
  chain = await LocalChain.create()
  await chain.start()
  const { privateKey } = chain.accounts[0]!
  token = (await deployContracts({ rpcUrl: chain.rpcUrl, privateKey })).token
  payer = new TokenPayer({
    rpcUrl: chain.rpcUrl,
    evmChainId: chain.chainId,
    token,
    privateKey: hexToBytes(privateKey),
    finalityBlocks: 0,
  })
})
afterAll(() => chain?.stop())

const held = (address = receiver) => readAlephBalance({ rpcUrl: chain.rpcUrl, token, address })

test('a payment that was signed and not sent is sent as it is, and counts once however often it is sent', async () => {
  const signed = await payer.sign({ [receiver]: String(5n * aleph) })
  expect(await payer.stateOf(signed)).toBe('missing')
  expect(await held()).toBe('0')
  await payer.send(signed.raw)
  await expect.poll(() => payer.stateOf(signed)).toBe('final')
  await payer.send(signed.raw).catch(() => undefined)
  expect(await held()).toBe('5')
})

test('a payment whose place another transaction took is given up, for it can never be on chain', async () => {
  const signed = await payer.sign({ [receiver]: String(aleph) })
  const { privateKey, address } = chain.accounts[0]!
  await transferAleph({ rpcUrl: chain.rpcUrl, privateKey, token, payments: [{ to: address, aleph: '1' }] })
  expect(await payer.stateOf(signed)).toBe('void')
  await payer.send(signed.raw).catch(() => undefined)
  expect(await held()).toBe('5')
})

test('what the payer does not have is not even signed', async () => {
  await expect(payer.sign({ [receiver]: String(600_000_000n * aleph) })).rejects.toThrow()
})
