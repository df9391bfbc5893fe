import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Envelope } from '@aleph-ts/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FaultyRpc } from '../src/chains/testing/faulty-rpc.ts'
import { NodeProcess } from './testing/node-process.ts'
import { patience } from './testing/patience.ts'
import { SyncChain } from './testing/sync-chain.ts'
import { newWallet, post } from './testing/wallet.ts'

let sync: SyncChain
let folder: string
beforeAll(async () => {
  sync = await SyncChain.start()
  folder = await mkdtemp(join(tmpdir(), 'aleph-packer-crash-'))
  await writeFile(join(folder, 'packer.key'), sync.chain.accounts[1]!.privateKey)
  await writeFile(join(folder, 'profile.json'), JSON.stringify(sync.profile))
})
afterAll(async () => {
  await sync?.[Symbol.asyncDispose]()
  if (folder) await rm(folder, { recursive: true, force: true })
})

async function publish(url: string, message: Envelope): Promise<void> {
  const response = await fetch(`${url}/api/v0/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message, sync: true }),
  })
  expect(response.status).toBe(200)
}

async function confirmations(url: string, { item_hash }: Envelope): Promise<unknown[]> {
  const response = await fetch(`${url}/api/v0/messages/${item_hash}`)
  const { message } = (await response.json()) as { message?: { confirmations: unknown[] } }
  return message?.confirmations ?? []
}

const moments = [
  {
    moment: 'after the batch is written down, before its transaction is made',
    method: 'eth_maxPriorityFeePerGas',
    isSent: false,
  },
  {
    moment: 'after its transaction is written down, before it is sent',
    method: 'eth_sendRawTransaction',
    isSent: false,
  },
  {
    moment: 'after its transaction is sent, before the chain has answered',
    method: 'eth_sendRawTransaction',
    isSent: true,
  },
]

test('a packer that is killed, at whatever moment, puts each message on chain exactly once', async () => {
  await using rpc = new FaultyRpc(sync.chain.rpcUrl)
  await rpc.start()
  const environment = {
    ALEPH_CORE_PROFILE: join(folder, 'profile.json'),
    ALEPH_CORE_EVM_RPC_ETH: rpc.url,
    ALEPH_CORE_PACKER_KEY_FILE: join(folder, 'packer.key'),
    ALEPH_CORE_PACKER_SECONDS: '1',
  }
  const dataDir = join(folder, 'node')
  let node = await NodeProcess.start(dataDir, environment)
  try {
    for (const [index, { moment, method, isSent }] of moments.entries()) {
      const reached = Promise.withResolvers<void>()
      rpc.fault = async (call) => {
        if (call.method !== method) return undefined
        if (isSent) await sync.client.request({ method, params: call.params } as never)
        reached.resolve()
        return await new Promise<never>(() => undefined)
      }
      const message = post(newWallet(), moment)
      await publish(node.url, message)
      await reached.promise
      await node.kill()
      rpc.fault = undefined
      node = await NodeProcess.start(dataDir, environment)
      await expect
        .poll(() => confirmations(node.url, message), { ...patience, message: moment })
        .toHaveLength(1)
      expect(await sync.batches(), moment).toHaveLength(index + 1)
    }
    expect(await node.stop()).toBe(0)
  } finally {
    await node.kill()
  }
})
