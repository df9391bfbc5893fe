import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type BalanceReaderConfig, createBalanceReader } from './balance-reader.ts'
import type { ChainProgress, ChainReader } from './chain-reader.ts'
import { ChainDatabase, silentLogger } from './testing/chain-database.ts'
import { type Fault, FaultyRpc, type RpcCall } from './testing/faulty-rpc.ts'
import { TokenChain } from './testing/token-chain.ts'
import type { TokenTransfer } from './token-transfers.ts'

let database: ChainDatabase
let chain: TokenChain
let rpc: FaultyRpc
const readers: ChainReader<TokenTransfer>[] = []

beforeAll(async () => {
  database = await ChainDatabase.start()
  chain = await TokenChain.start()
  for (let payment = 0; payment < 12; payment++) {
    await chain.pay(0, 1 + (payment % 3), '10')
    await chain.mine(3)
  }
})
afterAll(async () => {
  await chain?.[Symbol.asyncDispose]()
  await database?.stop()
})
beforeEach(async () => {
  await database.clear()
  rpc = new FaultyRpc(chain.chain.rpcUrl)
  await rpc.start()
})
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.stop()
  await rpc.stop()
})

function newReader(changes: Partial<BalanceReaderConfig> = {}) {
  const reader = createBalanceReader({
    pool: database.pool,
    logger: silentLogger,
    rpcUrl: `${rpc.url}/v3/secret-api-key`,
    token: { chain: 'ETH', evmChainId: 31337, contract: chain.token, decimals: 18, startBlock: 0 },
    pollMs: 10,
    ...changes,
  })
  readers.push(reader)
  return reader
}

function blocksAsked({ method, params }: RpcCall): number {
  if (method !== 'eth_getLogs') return 0
  const { fromBlock, toBlock } = params[0] as { fromBlock: string; toBlock: string }
  return Number(toBlock) - Number(fromBlock) + 1
}

function rpcError(code: number, message: string, status = 200): Fault {
  return { status, body: { jsonrpc: '2.0', id: 1, error: { code, message } } }
}

test('another endpoint is asked while the first is out of reach, also in the middle of reading', async () => {
  const reader = newReader({
    rpcUrl: `${rpc.url}/v3/secret-api-key, ${chain.chain.rpcUrl}`,
    maxRange: 5,
  })
  rpc.fault = (call) => (call.method === 'eth_getLogs' && rpc.calls.length > 8 ? 'hang up' : undefined)
  await reader.sync()
  expect(await database.balances()).toEqual(await chain.holdings())
})

describe('a provider that limits eth_getLogs', () => {
  const refusals: [string, Fault][] = [
    ['-32005 as Infura says it', rpcError(-32005, 'query returned more than 10000 results')],
    ['-32602 as Alchemy says it', rpcError(-32602, 'Log response size exceeded. Retry with the range [..]')],
    ['-32000 as a public node says it', rpcError(-32000, 'exceed maximum block range: 5000')],
    ['HTTP 413 as QuickNode says it', rpcError(-32614, 'eth_getLogs is limited to a 5 range', 413)],
    ['HTTP 400 with a page', { status: 400, body: 'Bad Request' }],
  ]
  for (const [name, refusal] of refusals) {
    test(`is read in smaller steps: ${name}`, async () => {
      rpc.fault = (call) => (blocksAsked(call) > 5 ? refusal : undefined)
      await newReader().sync()
      expect(await database.balances()).toEqual(await chain.holdings())
    })
  }

  test('that refuses even one block is reported, and asked again later', async () => {
    rpc.fault = (call) => (call.method === 'eth_getLogs' ? rpcError(-32603, 'internal error') : undefined)
    const reader = newReader()
    await expect(reader.sync()).rejects.toMatchObject({
      code: 'refused',
      message: /eth_getLogs.*internal error/,
    })
    rpc.fault = undefined
    await reader.sync()
    expect(await database.balances()).toEqual(await chain.holdings())
  })
})

describe('an RPC endpoint that is away', () => {
  test('is waited for, and then everything is there', async () => {
    const progress: ChainProgress[] = []
    rpc.fault = () => 'hang up'
    const reader = newReader({ onProgress: (step) => progress.push(step) })
    reader.start()
    await expect.poll(() => progress.at(-1)?.error).toMatch(/eth_chainId/)
    rpc.fault = undefined
    await reader.ready()
    expect(progress.at(-1)?.error).toBeNull()
    expect(await database.balances()).toEqual(await chain.holdings())
  })

  test('in the middle of a long read loses nothing of what was read', async () => {
    let answers = 0
    rpc.fault = (call) => (blocksAsked(call) > 0 && ++answers > 3 ? 'hang up' : undefined)
    const reader = newReader({ maxRange: 5 })
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    expect(reader.progress.block).toBe(14)
    rpc.fault = undefined
    rpc.calls.length = 0
    await reader.sync()
    expect(await database.balances()).toEqual(await chain.holdings())
    const first = rpc.calls.find((call) => call.method === 'eth_getLogs')
    expect(first?.params).toMatchObject([{ fromBlock: '0xf' }])
  })

  test('is not asked for less: rate limits are waited out at the same size', async () => {
    rpc.fault = (call) => (blocksAsked(call) > 0 ? rpcError(-32005, 'rate limit exceeded', 429) : undefined)
    const reader = newReader()
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    expect(rpc.calls.filter((call) => call.method === 'eth_getLogs')).toHaveLength(1)
  })

  test('does not hold up a stop', async () => {
    rpc.fault = () => new Promise<Fault>(() => {})
    const reader = newReader()
    reader.start()
    await expect.poll(() => rpc.calls.length).toBe(1)
    const ready = expect(reader.ready()).rejects.toMatchObject({ code: 'closed' })
    await reader.stop()
    await ready
    await expect(reader.sync()).rejects.toMatchObject({ code: 'closed' })
  })

  test('never shows its API key in an error', async () => {
    for (const fault of ['hang up', { status: 500, body: 'oops' }, rpcError(-32000, 'no')] as Fault[]) {
      rpc.fault = () => fault
      const error = await newReader()
        .sync()
        .catch((reason: Error) => reason)
      expect(error).toBeInstanceOf(Error)
      expect(`${error!.message} ${error!.stack} ${JSON.stringify(error)}`).not.toContain('secret-api-key')
      expect(error!.cause).toBeUndefined()
    }
  })
})

test('many who ask for the newest state at once share one look at the chain', async () => {
  const reader = newReader()
  await reader.sync()
  rpc.calls.length = 0
  await Promise.all(Array.from({ length: 50 }, () => reader.sync()))
  expect(rpc.calls.map((call) => call.method)).toEqual(['eth_getBlockByNumber'])
})

describe('an RPC endpoint that confuses', () => {
  test('with another chain is refused before anything is stored', async () => {
    const token = { chain: 'ETH', evmChainId: 1, contract: chain.token, decimals: 18, startBlock: 0 }
    await expect(newReader({ token }).sync()).rejects.toMatchObject({
      code: 'wrong_chain',
      message: /chain 31337, not 1/,
    })
    expect(await database.digest()).toBe('')
  })

  test('with blocks replaced while they are read gives the new blocks alone', async () => {
    await chain.pay(0, 5, '77')
    let done = false
    rpc.fault = async (call) => {
      if (call.method === 'eth_getLogs' && !done) {
        done = true
        const blocks = await fetch(chain.chain.rpcUrl, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ jsonrpc: '2.0', ...call, id: 1 }),
        }).then((response) => response.json())
        await chain.reorganise(1)
        return { status: 200, body: blocks }
      }
      return undefined
    }
    await newReader().sync()
    expect(await database.balances()).toEqual(await chain.holdings())
    expect(await database.balances()).not.toHaveProperty(chain.address(5))
  })

  test('with a server that lags a moment changes nothing', async () => {
    const changes: string[] = []
    const reader = newReader({ onBalancesChanged: (addresses) => changes.push(...addresses) })
    await reader.sync()
    changes.length = 0
    let lagging = 2
    rpc.fault = async ({ method, params }) => {
      if (method !== 'eth_getBlockByNumber' || params[0] !== 'latest' || lagging-- <= 0) return undefined
      return { status: 200, body: { jsonrpc: '2.0', id: 1, result: { number: '0x3', hash: '0xold' } } }
    }
    await reader.sync()
    expect(changes).toEqual([])
    expect(reader.progress.block).toBe(await chain.height())
  })
})
