import { alephTokenAbi } from '@aleph-ts/contracts'
import {
  bytesToHex,
  createPublicClient,
  encodeFunctionData,
  fallback,
  getAddress,
  http,
  keccak256,
  TransactionReceiptNotFoundError,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { endpointUrls } from '../chains/json-endpoint.ts'
import type { RewardPayment } from './reward-payments.ts'

export interface SignedPayment {
  nonce: number
  raw: `0x${string}`
  hash: `0x${string}`
}

/** What is known of a payment: `missing` may be sent (again) as it is, `void` will never be on chain. */
export type PaymentState = 'final' | 'young' | 'missing' | 'reverted' | 'void'

/** Pays ALEPH to many addresses in one transaction (protocol 06 §5.1), and looks what became of it. */
export class TokenPayer {
  readonly #client
  readonly #account
  readonly #token: `0x${string}`
  readonly #chainId: number
  readonly #finalityBlocks: bigint

  constructor(options: {
    rpcUrl: string
    evmChainId: number
    token: string
    privateKey: Uint8Array
    /** Blocks behind which the chain is not replaced any more. */
    finalityBlocks: number
  }) {
    this.#account = privateKeyToAccount(bytesToHex(options.privateKey))
    this.#client = createPublicClient({
      transport: fallback(endpointUrls(options.rpcUrl).map((url) => http(url))),
      cacheTime: 0,
    })
    this.#token = getAddress(options.token)
    this.#chainId = options.evmChainId
    this.#finalityBlocks = BigInt(options.finalityBlocks)
  }

  get address(): string {
    return this.#account.address
  }

  /**
   * Signs a batch transfer with the next free nonce; nothing is sent.
   *
   * @throws viem's errors when the chain would refuse it, such as a balance too low
   */
  async sign(targets: RewardPayment['targets']): Promise<SignedPayment> {
    const entries = Object.entries(targets)
    const data = encodeFunctionData({
      abi: alephTokenAbi,
      functionName: 'batchTransfer',
      args: [entries.map(([address]) => getAddress(address)), entries.map(([, units]) => BigInt(units))],
    })
    const call = { to: this.#token, data }
    const [nonce, gas, fees] = await Promise.all([
      this.#client.getTransactionCount({ address: this.#account.address }),
      this.#client.estimateGas({ account: this.#account, ...call }),
      this.#client.estimateFeesPerGas(),
    ])
    const raw = await this.#account.signTransaction({
      type: 'eip1559',
      chainId: this.#chainId,
      nonce,
      ...call,
      gas: (gas * 12n) / 10n,
      maxFeePerGas: fees.maxFeePerGas * 2n,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
    })
    return { nonce, raw, hash: keccak256(raw) }
  }

  async send(raw: `0x${string}`): Promise<void> {
    await this.#client.sendRawTransaction({ serializedTransaction: raw })
  }

  /**
   * A payment is only given up when another transaction has taken its nonce for good: a server that lags behind must
   * never make us pay twice.
   */
  async stateOf({ hash, nonce }: Pick<SignedPayment, 'hash' | 'nonce'>): Promise<PaymentState> {
    const head = await this.#client.getBlockNumber()
    const final = head > this.#finalityBlocks ? head - this.#finalityBlocks : 0n
    const receipt = await this.#client.getTransactionReceipt({ hash }).catch((error: unknown) => {
      if (error instanceof TransactionReceiptNotFoundError) return null
      throw error
    })
    if (receipt) {
      if (receipt.blockNumber > final) return 'young'
      return receipt.status === 'success' ? 'final' : 'reverted'
    }
    const used = await this.#client.getTransactionCount({
      address: this.#account.address,
      blockNumber: final,
    })
    return used > nonce ? 'void' : 'missing'
  }
}
