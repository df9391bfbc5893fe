import { alephTokenAbi, deployContracts } from '@aleph-ts/contracts'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { createTestClient, encodeFunctionData, http, parseUnits, publicActions, walletActions } from 'viem'
import { foundry } from 'viem/chains'

/** A real chain with the ALEPH token, and ways to make its blocks and to take them back. */
export class TokenChain {
  readonly chain: LocalChain
  readonly token: `0x${string}`
  readonly #client

  private constructor(chain: LocalChain, token: `0x${string}`) {
    this.chain = chain
    this.token = token
    this.#client = createTestClient({
      mode: 'anvil',
      chain: foundry,
      transport: http(chain.rpcUrl),
      cacheTime: 0,
      pollingInterval: 5,
    })
      .extend(publicActions)
      .extend(walletActions)
  }

  static async start(): Promise<TokenChain> {
    const chain = await LocalChain.create({ accounts: 6 })
    await chain.start()
    const { token } = await deployContracts({
      rpcUrl: chain.rpcUrl,
      privateKey: chain.accounts[0]!.privateKey,
    })
    return new TokenChain(chain, token)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.chain.stop()
  }

  address(account: number): `0x${string}` {
    return this.chain.accounts[account]!.address
  }

  /** One transfer in a block of its own; account 0 holds everything at first. A payment not covered fails there. */
  async pay(from: number, to: number, aleph: string): Promise<void> {
    const hash = await this.#client.sendTransaction({
      account: this.address(from),
      ...this.#transfer(to, aleph),
      gas: 200_000n,
    })
    await this.#client.waitForTransactionReceipt({ hash })
  }

  /** Several transfers in one transaction. */
  async payMany(from: number, payments: { to: number; aleph: string }[]): Promise<void> {
    const hash = await this.#client.writeContract({
      account: this.address(from),
      address: this.token,
      abi: alephTokenAbi,
      functionName: 'batchTransfer',
      args: [payments.map(({ to }) => this.address(to)), payments.map(({ aleph }) => parseUnits(aleph, 18))],
    })
    await this.#client.waitForTransactionReceipt({ hash })
  }

  async mine(blocks: number): Promise<void> {
    await this.#client.mine({ blocks })
  }

  /** Replaces the last blocks by as many others, of which the first holds the given payment. */
  async reorganise(depth: number, payment?: { from: number; to: number; aleph: string }): Promise<void> {
    const replacement = payment && {
      from: this.address(payment.from),
      ...this.#transfer(payment.to, payment.aleph),
      gas: '0x30d40',
    }
    await this.#client.request({
      method: 'anvil_reorg' as never,
      params: [depth, replacement ? [[replacement, 0]] : []] as never,
    })
  }

  async snapshot(): Promise<`0x${string}`> {
    return await this.#client.snapshot()
  }

  /** Drops all blocks since the snapshot: the chain gets shorter. */
  async revertTo(id: `0x${string}`): Promise<void> {
    await this.#client.revert({ id })
  }

  async height(): Promise<number> {
    return Number(await this.#client.getBlockNumber())
  }

  /** What the contract itself says, in its smallest unit, by address; only those who hold something. */
  async holdings(): Promise<Record<string, bigint>> {
    const held = await Promise.all(
      this.chain.accounts.map(async ({ address }) => {
        const value = await this.#client.readContract({
          address: this.token,
          abi: alephTokenAbi,
          functionName: 'balanceOf',
          args: [address],
        })
        return [address, value] as const
      }),
    )
    return Object.fromEntries(held.filter(([, value]) => value > 0n))
  }

  #transfer(to: number, aleph: string) {
    return {
      to: this.token,
      data: encodeFunctionData({
        abi: alephTokenAbi,
        functionName: 'transfer',
        args: [this.address(to), parseUnits(aleph, 18)],
      }),
    }
  }
}
