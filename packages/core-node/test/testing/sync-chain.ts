import { alephSyncAbi, deployContracts } from '@aleph-ts/contracts'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { devnetProfile, type NetworkProfile } from '@aleph-ts/protocol'
import { createTestClient, http, publicActions, walletActions } from 'viem'
import { foundry } from 'viem/chains'
import type { ContentFetcher } from '../../src/context.ts'
import type { TestNode } from './test-node.ts'

/** A real chain with a sync contract; its second account emits batches that the network believes. */
export class SyncChain {
  readonly chain: LocalChain
  readonly profile: NetworkProfile
  readonly client

  private constructor(chain: LocalChain, profile: NetworkProfile) {
    this.chain = chain
    this.profile = profile
    this.client = createTestClient({
      mode: 'anvil',
      chain: foundry,
      transport: http(chain.rpcUrl),
      cacheTime: 0,
    })
      .extend(publicActions)
      .extend(walletActions)
  }

  static async start(): Promise<SyncChain> {
    const chain = await LocalChain.create()
    await chain.start()
    const [deployer, emitter, , , secondEmitter] = chain.accounts
    const { sync, blockNumber } = await deployContracts({
      rpcUrl: chain.rpcUrl,
      privateKey: deployer!.privateKey,
    })
    const syncContract: NetworkProfile['syncContract'] = {
      chain: 'ETH',
      evmChainId: 31_337,
      contract: sync,
      startBlock: blockNumber,
      authorizedEmitters: [emitter!.address, secondEmitter!.address],
    }
    return new SyncChain(chain, { ...devnetProfile, syncContract })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.chain.stop()
  }

  get contract(): `0x${string}` {
    return this.profile.syncContract!.contract as `0x${string}`
  }

  /** Texts of all batches on the chain. */
  async batches(): Promise<string[]> {
    const logs = await this.client.getContractEvents({
      address: this.contract,
      abi: alephSyncAbi,
      eventName: 'SyncEvent',
      fromBlock: 0n,
      strict: true,
    })
    return logs.map(({ args }) => args.message)
  }

  /** Emits a text as a batch. */
  async emit(account: number, text: string): Promise<void> {
    await this.client.writeContract({
      account: this.chain.accounts[account]!.address,
      address: this.contract,
      abi: alephSyncAbi,
      functionName: 'doEmit',
      args: [text],
    })
  }

  /** Lets an account write a message. */
  async say(account: number, type: string, content: string): Promise<void> {
    await this.client.writeContract({
      account: this.chain.accounts[account]!.address,
      address: this.contract,
      abi: alephSyncAbi,
      functionName: 'doMessage',
      args: [type, content],
    })
  }
}

/** Files travel from one node to another, and nothing else. */
export function filesOf(source: () => TestNode, target: () => TestNode): ContentFetcher {
  return {
    async fetch(hash, itemType, { maxBytes }) {
      const { fileStore } = source().node.context
      if (!(await fileStore.has(hash))) return 'unavailable'
      const bytes = fileStore.read(hash)
      const { fileStore: own } = target().node.context
      if (itemType === 'ipfs') await own.addIpfsFile(bytes, { cidVersion: 0, maxBytes, expectedCid: hash })
      else await own.write(bytes, { maxBytes, expectedHash: hash })
      return 'stored'
    },
  }
}

/** What a node says confirmed a message. */
export async function confirmationsOf(node: TestNode, hash: string): Promise<{ hash: string }[]> {
  const { body } = await node.get(`/api/v0/messages/${hash}`)
  return body.message?.confirmations ?? []
}
