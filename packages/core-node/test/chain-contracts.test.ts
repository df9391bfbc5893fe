import { devnetProfile } from '@aleph-ts/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MultichainIndexer } from '../src/chains/testing/multichain-indexer.ts'
import { anchorEvent, programLog, SolanaNode } from '../src/chains/testing/solana-node.ts'
import { indexedMessage, TezosIndexer } from '../src/chains/testing/tezos-indexer.ts'
import { patience } from './testing/patience.ts'
import { TestNode } from './testing/test-node.ts'

const contract = 'KT1FfEoaNvooDfYrP61Ykct6L8z7w7e2pgnT'
const tezosAuthor = 'KT1VBeLD7hzKpj17aRJ3Kc6QQFeikCEXi7W6'
const program = 'ALepH1n9jxScbz45aZhBYVa35zxBNbKSvL6rWQpb4snc'
const solanaAuthor = 'DnMcXEGf1BM5QJUkBM5Pnp2h8YxQ4hBcCRcwCWDWKx2x'
const bscContract = '0xdF270752C8C71D08acbae4372687DA65AECe2D5D'
const bscAuthor = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'

let multichain: MultichainIndexer
let indexer: TezosIndexer
let solana: SolanaNode
let node: TestNode

beforeAll(async () => {
  multichain = await new MultichainIndexer().start()
  indexer = await new TezosIndexer().start()
  solana = await new SolanaNode().start()
  node = await TestNode.start({
    profile: {
      ...devnetProfile,
      messageContracts: [
        { kind: 'evm', chain: 'BSC', evmChainId: 56, contract: bscContract, startBlock: 0 },
        { kind: 'tezos', chain: 'TEZOS', contract },
        { kind: 'solana', chain: 'SOL', contract: program, startBlock: 100, authorizedEmitters: [] },
      ],
    },
    config: { evmIndexer: multichain.url, tezosIndexer: indexer.url, solanaRpc: solana.url },
  })
})
afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  await multichain?.[Symbol.asyncDispose]()
  await indexer?.[Symbol.asyncDispose]()
  await solana?.[Symbol.asyncDispose]()
})

async function postsOf(author: string): Promise<unknown[]> {
  return (await node.get(`/api/v0/posts.json?addresses=${author}`)).body.posts
}

function note(address: string, content: string): string {
  return JSON.stringify({ address, time: 1_700_000_000, type: 'note', content })
}

describe('contracts of other chains', () => {
  test('write messages from Tezos, as their own address', async () => {
    const msgcontent = note(tezosAuthor, 'from Tezos')
    indexer.events = [indexedMessage(contract, 0, { addr: tezosAuthor, msgtype: 'POST', msgcontent })]
    await expect
      .poll(() => postsOf(tezosAuthor), patience)
      .toMatchObject([
        { content: 'from Tezos', confirmed: true, confirmations: [{ chain: 'TEZOS', height: 2_870_000 }] },
      ])
  })

  test('write messages from Solana, as the wallet that called', async () => {
    const logs = programLog(
      program,
      anchorEvent('MessageEvent', solanaAuthor, 'POST', note(solanaAuthor, 'hello')),
    )
    solana.transactions = [{ signature: 'a-signature', slot: 150, logs }]
    solana.slot = 160
    await expect
      .poll(() => postsOf(solanaAuthor), patience)
      .toMatchObject([{ content: 'hello', confirmed: true, confirmations: [{ chain: 'SOL', height: 150 }] }])
  })

  test('write messages from a chain of which the node has no endpoint, as the account that called', async () => {
    const transaction = `0x${'a'.repeat(64)}`
    multichain.messageEvents = [
      {
        id: `bsc_26000000_${bscContract.toLowerCase()}_3`,
        timestamp: 1_677_248_195_000,
        address: bscAuthor.toLowerCase(),
        height: 26_000_000,
        transaction,
        type: 'POST',
        content: note(bscAuthor, 'from BSC'),
      },
    ]
    multichain.processed = ['2020-08-29T00:00:00.000Z/2023-02-25T00:00:00.000Z']
    await expect
      .poll(() => postsOf(bscAuthor), patience)
      .toMatchObject([
        { content: 'from BSC', confirmations: [{ chain: 'BSC', height: 26_000_000, hash: transaction }] },
      ])
  })

  test('do not mix up the heights of chains: only those of Ethereum order the network', async () => {
    const { rows } = await node.node.context.pool.query(
      'select first_confirmed_height as height, first_confirmed_at is not null as confirmed from messages',
    )
    expect(rows).toEqual(Array(3).fill({ height: null, confirmed: true }))
  })

  test('cannot write for somebody else', async () => {
    const msgcontent = note(solanaAuthor, 'not mine')
    indexer.events.push(indexedMessage(contract, 1, { addr: tezosAuthor, msgtype: 'POST', msgcontent }))
    await expect
      .poll(async () => {
        const { rows } = await node.node.context.pool.query('select error_code from rejected_messages')
        return rows.length
      }, patience)
      .toBe(1)
    expect(await postsOf(solanaAuthor)).toHaveLength(1)
  })
})
