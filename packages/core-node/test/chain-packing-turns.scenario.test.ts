import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getAddress } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { patience } from './testing/patience.ts'
import { confirmationsOf, filesOf, SyncChain } from './testing/sync-chain.ts'
import { TestNode } from './testing/test-node.ts'
import { newWallet, post } from './testing/wallet.ts'

const turnBlocks = 40

let sync: SyncChain
let keys: string
/** In the order in which their emitters stand in the profile. */
const packers: TestNode[] = []

beforeAll(async () => {
  sync = await SyncChain.start()
  keys = await mkdtemp(join(tmpdir(), 'aleph-packers-'))
  const { chain, profile } = sync
  for (const [index, account] of [1, 4].entries()) {
    const privateKeyFile = join(keys, `${account}.key`)
    await writeFile(privateKeyFile, chain.accounts[account]!.privateKey)
    const packer = await TestNode.start({
      profile: { ...profile, syncContract: { ...profile.syncContract!, turnBlocks } },
      config: {
        evmRpc: { ETH: chain.rpcUrl },
        packer: { privateKeyFile, seconds: 0.2, mostGweiPerGas: 150 },
      },
      contentFetcher: filesOf(
        () => packers[1 - index]!,
        () => packers[index]!,
      ),
    })
    packers.push(packer)
  }
})
afterAll(async () => {
  for (const packer of packers) await packer[Symbol.asyncDispose]()
  await sync?.[Symbol.asyncDispose]()
  if (keys) await rm(keys, { recursive: true })
})

/** Mines until somebody's turn has just begun; that of the first emitter, when it is `0`. */
async function beginTurnOf(index: number): Promise<void> {
  const block = Number(await sync.client.getBlockNumber())
  const round = turnBlocks * packers.length
  const begin = index * turnBlocks
  await sync.client.mine({ blocks: ((begin - (block % round) + round) % round) + 1 })
}

test('packers that take turns put each message on chain once, each what comes in its turn', async () => {
  const { accounts } = sync.chain
  const emitters = [accounts[1]!.address, accounts[4]!.address]
  for (const [round, index] of [0, 1, 0].entries()) {
    await beginTurnOf(index)
    const message = post(newWallet(), `round ${round}`)
    for (const packer of packers) expect((await packer.publish(message)).status).toBe(200)
    for (const packer of packers) {
      await expect.poll(() => confirmationsOf(packer, message.item_hash), patience).toHaveLength(1)
    }
    const [confirmation] = await confirmationsOf(packers[0]!, message.item_hash)
    const { from } = await sync.client.getTransaction({ hash: confirmation!.hash as `0x${string}` })
    expect(getAddress(from)).toBe(emitters[index])
    expect(await sync.batches()).toHaveLength(round + 1)
  }
}, 120_000)
