import { createPublicClient, createTestClient, createWalletClient, http, parseAbi, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { foundry } from 'viem/chains'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LocalChain } from '../src/local-chain.ts'
import { type DeployedSuperfluid, deploySuperfluid } from '../src/superfluid/index.ts'

const abi = parseAbi([
  'function setFlowrate(address token, address receiver, int96 rate) returns (bool)',
  'function getFlowrate(address token, address sender, address receiver) view returns (int96)',
  'function balanceOf(address account) view returns (uint256)',
  'function getFlow(address token, address sender, address receiver) view returns (uint256 timestamp, int96 rate, uint256 deposit, uint256 owedDeposit)',
])

let chain: LocalChain
let superfluid: DeployedSuperfluid
beforeAll(async () => {
  chain = await LocalChain.create()
  await chain.start()
  superfluid = await deploySuperfluid({ rpcUrl: chain.rpcUrl, privateKey: chain.accounts[0]!.privateKey })
})
afterAll(async () => {
  await chain?.stop()
})

test('tokens stream second by second through the real contracts', async () => {
  const [payer, receiver] = chain.accounts
  const transport = http(chain.rpcUrl)
  const account = privateKeyToAccount(payer!.privateKey)
  const wallet = createWalletClient({ account, chain: foundry, transport }).extend(publicActions)
  const reader = createPublicClient({ transport, cacheTime: 0 })
  const { forwarder, superToken, agreement } = superfluid
  const hash = await wallet.writeContract({
    address: forwarder,
    abi,
    functionName: 'setFlowrate',
    args: [superToken, receiver!.address, 1_000n],
  })
  await wallet.waitForTransactionReceipt({ hash })
  const args = [superToken, payer!.address, receiver!.address] as const
  expect(await reader.readContract({ address: forwarder, abi, functionName: 'getFlowrate', args })).toBe(
    1_000n,
  )
  const flow = await reader.readContract({ address: agreement, abi, functionName: 'getFlow', args })
  expect(flow[1]).toBe(1_000n)
  const clock = createTestClient({ mode: 'anvil', chain: foundry, transport })
  await clock.increaseTime({ seconds: 3_600 })
  await clock.mine({ blocks: 1 })
  const balance = await reader.readContract({
    address: superToken,
    abi,
    functionName: 'balanceOf',
    args: [receiver!.address],
  })
  expect(balance).toBeGreaterThanOrEqual(3_600_000n)
})
