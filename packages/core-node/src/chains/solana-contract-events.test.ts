import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SolanaContractEvents } from './solana-contract-events.ts'
import { ChainDatabase } from './testing/chain-database.ts'
import { eventReader } from './testing/event-reader.ts'
import { anchorEvent, type ProgramTransaction, programLog, SolanaNode } from './testing/solana-node.ts'

const program = 'ALepH1n9jxScbz45aZhBYVa35zxBNbKSvL6rWQpb4snc'
const author = 'DnMcXEGf1BM5QJUkBM5Pnp2h8YxQ4hBcCRcwCWDWKx2x'
const other = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA'

let database: ChainDatabase
beforeAll(async () => {
  database = await ChainDatabase.start()
})
afterAll(async () => {
  await database?.stop()
})
beforeEach(async () => {
  await database.clear()
})

function message(slot: number, text = `message ${slot}`): ProgramTransaction {
  const logs = programLog(program, anchorEvent('MessageEvent', author, 'POST', text))
  return { signature: `signature-${text}`, slot, logs }
}

function readerOf(rpcUrl: string, authorizedEmitters: string[] = []) {
  const source = new SolanaContractEvents({ rpcUrl, contract: program, startBlock: 100, authorizedEmitters })
  const finality = { headLag: 0, reorgWindow: 0 }
  return eventReader({ database, chain: 'SOL', source, startBlock: 100, finality, maxRange: 100_000 })
}

async function readTexts(): Promise<unknown[]> {
  return (await database.contractEvents()).map(({ content }) => (content as { content: string }).content)
}

describe('messages of a Solana program', () => {
  test('come with their sender, signature, slot and time, several of one transaction too', async () => {
    await using node = await new SolanaNode().start()
    node.slot = 200
    const first = anchorEvent('MessageEvent', author, 'POST', 'one')
    const second = anchorEvent('MessageEvent', author, 'AGGREGATE', 'two – ünï')
    node.transactions = [{ signature: 'both', slot: 120, logs: programLog(program, first, second) }]
    await using reader = await readerOf(node.url)
    await reader.sync()
    const place = { tx_hash: 'both', publisher: author, height: 120, time: 1_700_000_120 }
    expect(await database.contractEvents()).toEqual([
      { ...place, content: { type: 'POST', content: 'one' } },
      { ...place, content: { type: 'AGGREGATE', content: 'two – ünï' } },
    ])
  })

  test('are all read, once each, over many pages, empty slots and a restart', async () => {
    await using node = await new SolanaNode().start()
    const expected = Array.from({ length: 2_500 }, (_, index) =>
      message(100 + Math.floor(index / 2) * 3, `m${index}`),
    )
    node.transactions = expected.slice(0, 2_300)
    node.slot = expected[2_299]!.slot
    {
      await using reader = await readerOf(node.url)
      await reader.sync()
    }
    node.transactions = expected
    node.slot = 5_000_000
    await using again = await readerOf(node.url)
    await again.sync()
    expect(await readTexts()).toEqual(expected.map((_, index) => `m${index}`))
  })

  test('are only those that the program itself emitted, in transactions that succeeded', async () => {
    await using node = await new SolanaNode().start()
    node.slot = 200
    const forged = anchorEvent('MessageEvent', author, 'POST', 'forged')
    const real = anchorEvent('MessageEvent', author, 'POST', 'real')
    const inner = programLog(program, real).map((line) => line.replace('[1]', '[2]'))
    node.transactions = [
      { ...message(110), failed: true },
      { signature: 'forged', slot: 120, logs: programLog(other, forged) },
      {
        signature: 'nested',
        slot: 130,
        logs: [
          `Program ${other} invoke [1]`,
          ...inner,
          `Program data: ${forged}`,
          `Program ${other} success`,
        ],
      },
      { signature: 'cut', slot: 140, logs: programLog(program, real.slice(0, 60)) },
    ]
    await using reader = await readerOf(node.url)
    await reader.sync()
    expect(await readTexts()).toEqual(['real'])
  })

  test('come beside batches of those who may emit them', async () => {
    await using node = await new SolanaNode().start()
    node.slot = 200
    const batch = JSON.stringify({ protocol: 'aleph-offchain', version: 1, content: 'Qm' })
    node.transactions = [author, other].map((emitter, index) => ({
      signature: `batch-${index}`,
      slot: 120 + index,
      logs: programLog(program, anchorEvent('SyncEvent', emitter, batch)),
    }))
    await using reader = await readerOf(node.url, [author])
    await reader.sync()
    expect(await database.contractEvents()).toMatchObject([{ tx_hash: 'batch-0', content: 'Qm' }])
  })

  test('wait for a node that is behind, limits us or is away', async () => {
    await using node = await new SolanaNode().start()
    node.transactions = [message(110), message(120)]
    node.slot = 200
    await using reader = await readerOf(node.url)
    for (const failure of [{ status: 429 }, { status: 503 }, 'hang up'] as const) {
      node.failure = () => failure
      await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    }
    node.failure = (question) => {
      // Behind a load balancer: the slot is that of one server, the list that of another.
      node.slot = Object(question).method === 'getSignaturesForAddress' ? 100 : 200
      return undefined
    }
    await expect(reader.sync()).rejects.toMatchObject({ code: 'unreachable' })
    expect(await readTexts()).toEqual([])
    node.failure = undefined
    node.slot = 200
    await reader.sync()
    expect(await readTexts()).toEqual(['message 110', 'message 120'])
  })

  test('are not skipped silently when the node no longer has them', async () => {
    await using node = await new SolanaNode().start()
    node.transactions = [message(110), message(210)]
    node.slot = 300
    node.oldestSlot = 200
    await using reader = await readerOf(node.url)
    await expect(reader.sync()).rejects.toThrow(/nothing before slot 200/)
    node.oldestSlot = 0
    await reader.sync()
    expect(await readTexts()).toEqual(['message 110', 'message 210'])
  })
})
