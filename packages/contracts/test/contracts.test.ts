import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createPublicClient,
  decodeEventLog,
  getAbiItem,
  http,
  parseEventLogs,
  parseUnits,
  toEventSelector,
  toFunctionSelector,
} from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileContracts, generatedDir } from '../scripts/compile.ts'
import { confirmed, connect } from '../src/deploy.ts'
import {
  alephCreditsAbi,
  alephSyncAbi,
  alephTokenAbi,
  type DeployedContracts,
  deployContracts,
  deployCredits,
  readAlephBalance,
  transferAleph,
} from '../src/index.ts'
import { LocalChain } from '../src/local-chain.ts'

let chain: LocalChain
let contracts: DeployedContracts
beforeAll(async () => {
  chain = await LocalChain.create()
  await chain.start()
  contracts = await deployContracts({ rpcUrl: chain.rpcUrl, privateKey: chain.accounts[0]!.privateKey })
})
afterAll(async () => {
  await chain?.stop()
})

test('the committed ABIs and bytecode are what the Solidity sources compile to', async () => {
  const compiled = await compileContracts()
  expect((await readdir(generatedDir)).sort()).toEqual([...compiled.keys()].sort())
  for (const [name, text] of compiled) {
    expect(await readFile(join(generatedDir, name), 'utf8'), `run scripts/compile.ts: ${name}`).toBe(text)
  }
})

describe('the sync contract', () => {
  test('has the selectors and topics of the production network', () => {
    const functions = { doEmit: '0x58666c04', doMessage: '0x128f72c5' } as const
    for (const [name, selector] of Object.entries(functions)) {
      const item = getAbiItem({ abi: alephSyncAbi, name: name as keyof typeof functions })
      expect(toFunctionSelector(item)).toBe(selector)
    }
    expect(toEventSelector(getAbiItem({ abi: alephSyncAbi, name: 'SyncEvent' }))).toBe(
      '0x2cc768a3de0c950ea2a38e55a9b143cc6fd5a8eec27e36993b542fb16ab591e1',
    )
    expect(toEventSelector(getAbiItem({ abi: alephSyncAbi, name: 'MessageEvent' }))).toBe(
      '0x548eda6c65f4bd05085e450712b22cfb19c58816b453f69294a94e78db9ab32b',
    )
  })

  test('tells the time, the caller and the words it was given', async () => {
    const client = await connect({ rpcUrl: chain.rpcUrl, privateKey: chain.accounts[2]!.privateKey })
    const address = contracts.sync
    const content = '{"item_hash":"é\\u0000"}'
    const emitted = await confirmed(
      client,
      'doEmit',
      await client.writeContract({ address, abi: alephSyncAbi, functionName: 'doEmit', args: [content] }),
    )
    const block = await client.getBlock({ blockNumber: emitted.blockNumber })
    const caller = chain.accounts[2]!.address
    expect(parseEventLogs({ abi: alephSyncAbi, logs: emitted.logs })).toMatchObject([
      { eventName: 'SyncEvent', args: { timestamp: block.timestamp, addr: caller, message: content } },
    ])

    const told = await confirmed(
      client,
      'doMessage',
      await client.writeContract({
        address,
        abi: alephSyncAbi,
        functionName: 'doMessage',
        args: ['POST', content],
      }),
    )
    const log = told.logs[0]!
    expect(decodeEventLog({ abi: alephSyncAbi, data: log.data, topics: log.topics })).toMatchObject({
      eventName: 'MessageEvent',
      args: { addr: caller, msgtype: 'POST', msgcontent: content },
    })
    expect(log.topics).toHaveLength(1)
  })
})

describe('the ALEPH token', () => {
  test('has 18 decimals, a fixed supply with its deployer, and permits', async () => {
    const client = createPublicClient({ transport: http(chain.rpcUrl) })
    const token = { address: contracts.token, abi: alephTokenAbi } as const
    expect(await client.readContract({ ...token, functionName: 'decimals' })).toBe(18)
    expect(await client.readContract({ ...token, functionName: 'symbol' })).toBe('ALEPH')
    expect(await client.readContract({ ...token, functionName: 'totalSupply' })).toBe(
      parseUnits('500000000', 18),
    )
    expect(
      await client.readContract({ ...token, functionName: 'nonces', args: [chain.accounts[0]!.address] }),
    ).toBe(0n)
    expect(contracts.blockNumber).toBe(1)
  })

  test('pays many in one transaction, with the selector rewards are paid with', async () => {
    expect(toFunctionSelector(getAbiItem({ abi: alephTokenAbi, name: 'batchTransfer' }))).toBe('0x88d695b2')
    const [, , , rich, poor] = chain.accounts
    const { blockNumber } = await transferAleph({
      rpcUrl: chain.rpcUrl,
      privateKey: chain.accounts[0]!.privateKey,
      token: contracts.token,
      payments: [
        { to: rich!.address, aleph: '2000' },
        { to: poor!.address, aleph: '0.000000000000000001' },
      ],
    })
    expect(blockNumber).toBeGreaterThan(contracts.blockNumber)
    expect(await balanceOf(rich!.address)).toBe('2000')
    expect(await balanceOf(poor!.address)).toBe('0.000000000000000001')
  })

  test('pays nobody when one payment cannot be made', async () => {
    const [, , , , , sender, receiver] = chain.accounts
    await expect(
      transferAleph({
        rpcUrl: chain.rpcUrl,
        privateKey: sender!.privateKey,
        token: contracts.token,
        payments: [{ to: receiver!.address, aleph: '1' }],
      }),
    ).rejects.toThrow(/ERC20InsufficientBalance/)
    expect(await balanceOf(receiver!.address)).toBe('0')
  })

  test('refuses amounts that are no plain decimals', async () => {
    for (const aleph of ['-1', '1e3', '0.0000000000000000001', '', 'NaN']) {
      await expect(
        transferAleph({
          rpcUrl: chain.rpcUrl,
          privateKey: chain.accounts[0]!.privateKey,
          token: contracts.token,
          payments: [{ to: chain.accounts[1]!.address, aleph }],
        }),
      ).rejects.toThrow(RangeError)
    }
  })
})

async function balanceOf(address: string) {
  return readAlephBalance({ rpcUrl: chain.rpcUrl, token: contracts.token, address })
}

test('the credit contract takes tokens and ether, tells of both alike, and pays out to its owner alone', async () => {
  const [owner, buyer] = chain.accounts
  const { address } = await deployCredits({ rpcUrl: chain.rpcUrl, privateKey: owner!.privateKey })
  const payments = [{ to: address, aleph: '12.5' }]
  await transferAleph({
    rpcUrl: chain.rpcUrl,
    privateKey: owner!.privateKey,
    token: contracts.token,
    payments,
  })
  const held = () => readAlephBalance({ rpcUrl: chain.rpcUrl, token: contracts.token, address })
  expect(await held()).toBe('12.5')
  const wallet = await connect({ rpcUrl: chain.rpcUrl, privateKey: buyer!.privateKey })
  const value = parseUnits('2', 18)
  const receipt = await confirmed(wallet, 'ether', await wallet.sendTransaction({ to: address, value }))
  const [event] = parseEventLogs({ abi: alephCreditsAbi, logs: receipt.logs, eventName: 'Transfer' })
  expect(event!.args).toEqual({ from: buyer!.address, to: address, value })

  const withdrawal = { address, abi: alephCreditsAbi, functionName: 'withdraw' } as const
  const args = [contracts.token, owner!.address, parseUnits('12.5', 18)] as const
  await expect(wallet.writeContract({ ...withdrawal, args })).rejects.toThrow(/OwnableUnauthorizedAccount/)
  const treasury = await connect({ rpcUrl: chain.rpcUrl, privateKey: owner!.privateKey })
  await confirmed(treasury, 'withdrawal', await treasury.writeContract({ ...withdrawal, args }))
  expect(await held()).toBe('0')
})
