import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { type Envelope, itemHash, personalSign, verificationBuffer } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestNode } from './testing/test-node.ts'
import { newWallet, nextTime, type Wallet } from './testing/wallet.ts'
import { WalletContracts } from './testing/wallet-contracts.ts'

let chain: LocalChain
let contracts: WalletContracts
let node: TestNode

beforeAll(async () => {
  chain = await LocalChain.create({ accounts: 2 })
  await chain.start()
  contracts = await WalletContracts.deploy(chain.rpcUrl, chain.accounts[0]!.address)
  node = await TestNode.start({ config: { evmRpc: { ETH: chain.rpcUrl } } })
})
afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  await chain?.stop()
})

/** A post of a wallet contract, signed by the contract's owner. */
function postOf(sender: string, signer: Wallet, wrap = (signature: string) => signature): Envelope {
  const time = nextTime()
  const text = JSON.stringify({ address: sender, time, type: 'note', content: 'hi' })
  const unsigned = {
    sender,
    chain: 'ETH' as const,
    type: 'POST' as const,
    item_type: 'inline' as const,
    item_hash: itemHash(text),
    item_content: text,
    time,
    channel: null,
  }
  return { ...unsigned, signature: wrap(personalSign(verificationBuffer(unsigned), signer.privateKey)) }
}

test('a wallet contract publishes with the signature of its owner, and nobody else’s', async () => {
  const owner = newWallet()
  await contracts.create(owner.address)
  const sender = contracts.addressOf(owner.address)
  expect(await node.publish(postOf(sender, owner))).toMatchObject({ body: { message_status: 'processed' } })
  expect(await node.publish(postOf(sender, newWallet()))).toMatchObject({
    status: 422,
    body: { error_code: 1 },
  })
})

test('a wallet publishes before it is deployed', async () => {
  const owner = newWallet()
  const sender = contracts.addressOf(owner.address)
  const wrap = (signature: string) => contracts.beforeDeployment(owner.address, signature)
  expect(await node.publish(postOf(sender, owner, wrap))).toMatchObject({
    body: { message_status: 'processed' },
  })
  expect(await node.publish(postOf(sender, newWallet(), wrap))).toMatchObject({ status: 422 })
})

test('an ordinary address cannot be spoken for, whatever is put into the signature', async () => {
  const victim = newWallet()
  const thief = newWallet()
  const wrap = (signature: string) => contracts.beforeDeployment(thief.address, signature)
  for (const message of [postOf(victim.address, thief), postOf(victim.address, thief, wrap)]) {
    expect(await node.publish(message)).toMatchObject({ status: 422, body: { error_code: 1 } })
  }
})

test('while the chain is away a message that only a contract could vouch for may be sent again', async () => {
  const owner = newWallet()
  const away = await TestNode.start({ config: { evmRpc: { ETH: 'http://127.0.0.1:9' } } })
  try {
    const message = postOf(contracts.addressOf(owner.address), owner)
    expect(await away.publish(message)).toMatchObject({ status: 503, body: { code: 'unavailable' } })
  } finally {
    await away[Symbol.asyncDispose]()
  }
})
