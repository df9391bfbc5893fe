import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownedWalletAbi, ownedWalletBytecode } from '@aleph-ts/contracts'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { type Envelope, personalSign, verificationBuffer } from '@aleph-ts/protocol'
import {
  concat,
  createTestClient,
  encodeDeployData,
  getContractAddress,
  http,
  keccak256,
  publicActions,
  serializeErc6492Signature,
  walletActions,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post, type Wallet } from './testing/wallet.ts'

/** Deploys what it is sent, at an address that follows from it; every EVM chain has it there. */
const create2Deployer = '0x4e59b44847b379578588920cA78FbF26c0B4956C'
let folder: string
let chain: LocalChain
let node: TestNode

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-wallets-'))
  chain = await LocalChain.create({ stateFile: join(folder, 'chain.json') })
  await chain.start()
  node = await TestNode.start({ config: { evmRpc: { ETH: chain.rpcUrl } } })
})

afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  await chain?.stop()
  await rm(folder, { recursive: true, force: true })
})

function client() {
  const account = privateKeyToAccount(chain.accounts[0]!.privateKey)
  const options = { mode: 'anvil', transport: http(chain.rpcUrl), account, pollingInterval: 20 } as const
  return createTestClient(options).extend(publicActions).extend(walletActions)
}

function deployment(owner: string) {
  const args = [owner as `0x${string}`] as const
  return encodeDeployData({ abi: ownedWalletAbi, bytecode: ownedWalletBytecode, args })
}

async function deployWallet(owner: string): Promise<`0x${string}`> {
  const hash = await client().sendTransaction({ data: deployment(owner), chain: null })
  const receipt = await client().waitForTransactionReceipt({ hash })
  return receipt.contractAddress!
}

/** A post of a wallet at an address, signed by a key. */
function postOf(address: string, signer: Wallet, fields: Partial<Envelope> = {}): Envelope {
  const unsigned = post({ ...signer, address }, 'from a smart wallet')
  const message = { ...unsigned, ...fields }
  return { ...message, signature: personalSign(verificationBuffer(message), signer.privateKey) }
}

test('a smart wallet posts with the key it obeys, and with no other', async () => {
  const owner = newWallet()
  const address = await deployWallet(owner.address)
  expect(await node.publish(postOf(address, owner))).toMatchObject({
    status: 200,
    body: { message_status: 'processed' },
  })
  const forged = await node.publish(postOf(address, newWallet()))
  expect(forged).toMatchObject({ status: 422, body: { error_code: 1 } })
  expect(forged.body.error).toContain('smart wallet')
})

test('a wallet that is not deployed yet posts with what would deploy it', async () => {
  const owner = newWallet()
  const salt = `0x${'07'.repeat(32)}` as const
  const bytecode = deployment(owner.address)
  const address = getContractAddress({ opcode: 'CREATE2', from: create2Deployer, salt, bytecode })
  const wrap = (message: Envelope, data = concat([salt, bytecode])) => ({
    ...message,
    signature: serializeErc6492Signature({
      address: create2Deployer,
      data,
      signature: message.signature as `0x${string}`,
    }),
  })
  expect((await node.publish(wrap(postOf(address, owner)))).status).toBe(200)
  expect((await node.publish(wrap(postOf(address, newWallet())))).status).toBe(422)
  const other = concat([keccak256(salt), bytecode])
  expect((await node.publish(wrap(postOf(address, owner), other))).status).toBe(422)
})

test('a signature that was taken once stays valid when the wallet changes its key', async () => {
  const owner = newWallet()
  const address = await deployWallet(owner.address)
  const [before, after] = [postOf(address, owner), postOf(address, owner)]
  expect((await node.publish(before)).status).toBe(200)

  await client().impersonateAccount({ address: owner.address as `0x${string}` })
  await client().setBalance({ address: owner.address as `0x${string}`, value: 10n ** 18n })
  const hash = await client().writeContract({
    account: owner.address as `0x${string}`,
    address,
    abi: ownedWalletAbi,
    functionName: 'setOwner',
    args: [newWallet().address as `0x${string}`],
    chain: null,
  })
  await client().waitForTransactionReceipt({ hash })

  const { verifier } = node.node.context
  expect(await verifier.verify(before)).toMatchObject({ outcome: 'valid' })
  expect(await verifier.verify(after)).toMatchObject({ outcome: 'invalid' })
})

test('a wallet of a chain without an endpoint is refused, and the text says why', async () => {
  const { status, body } = await node.publish(postOf(newWallet().address, newWallet(), { chain: 'BASE' }))
  expect(status).toBe(422)
  expect(body).toMatchObject({
    error_code: 1,
    error: expect.stringContaining('no RPC endpoint of that chain'),
  })
})

test('a contract that burns its gas or fails is no wallet', async () => {
  // INVALID, and an endless loop: what the deployment returns as the contract's code.
  for (const code of ['fe', '5b600056']) {
    const size = (code.length / 2).toString(16).padStart(2, '0')
    const data = `0x60${size}600c60003960${size}6000f3${code}` as const
    const hash = await client().sendTransaction({ data, chain: null })
    const { contractAddress } = await client().waitForTransactionReceipt({ hash })
    const answer = await node.publish(postOf(contractAddress!, newWallet()))
    expect(answer.status, answer.body.error).toBe(422)
  }
})

test('while the chain is away our API says so, what peers bring waits, and is processed when it is back', async () => {
  const owner = newWallet()
  const address = await deployWallet(owner.address)
  const { inbox } = node.node.context
  const message = postOf(address, owner)
  await chain.stop()
  const turnedAway = await node.publish(postOf(address, owner))
  expect(turnedAway.status).toBe(503)
  expect(turnedAway.body.error).toContain('cannot be asked now')
  expect(turnedAway.body.error).not.toContain(String(new URL(chain.rpcUrl).port))
  expect(await inbox.accept(message, { door: 'catch-up' })).toMatchObject({ status: 'pending' })
  // Others are not held up.
  expect((await node.publish(post(newWallet(), 'by a key'))).status).toBe(200)

  await chain.start()
  await vi.waitFor(
    async () => {
      const { body } = await node.get(`/api/v0/messages/${message.item_hash}`)
      expect(body.status).toBe('processed')
    },
    { timeout: 20_000, interval: 100 },
  )
}, 40_000)
