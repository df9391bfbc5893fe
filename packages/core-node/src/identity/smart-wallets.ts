import { createHash } from 'node:crypto'
import {
  type Chain,
  chains,
  isSmartWalletApproval,
  type SignedMessage,
  type SmartWalletCall,
  smartWalletCall,
} from '@aleph-ts/protocol'
import type pg from 'pg'
import type { Logger } from 'pino'
import { erc6492SignatureValidatorByteCode } from 'viem'
import { ChainSourceError } from '../chains/chain-source.ts'
import { EvmRpc } from '../chains/evm-rpc.ts'
import { invalid, unknown, type Verdict, valid } from './verdict.ts'

/** Where a chain's contracts are asked. */
export interface WalletChain {
  /** http(s); the only place a question ever goes to, whatever a message says. */
  rpcUrl: string
  evmChainId: number
}

export interface SmartWalletsOptions {
  pool: Pick<pg.Pool, 'query'>
  logger: Logger
  chains: Partial<Record<Chain, WalletChain>>
  /** Longest wait for one answer, ms. */
  timeoutMs?: number
}

const defaultTimeoutMs = 5_000
/** Questions under way at once, over all chains. */
const mostAsked = 16
/** Longest signature that is shown to a contract, characters: 6492 signatures carry a deployment. */
const longestSignature = 32_768

/**
 * Asks the contracts behind EVM addresses whether they take a signature: ERC-1271 where they stand, ERC-6492 before
 * (protocol 01 §4.4).
 *
 * A contract may change its mind, so its first yes is kept in the database for good, with the block it was given at:
 * a message that was valid once stays valid here. A no is not kept.
 */
export class SmartWallets {
  readonly #options: SmartWalletsOptions
  readonly #rpcs = new Map<Chain, EvmRpc>()
  #asked = 0

  /** @throws {ChainSourceError} when a URL is not http(s) */
  constructor(options: SmartWalletsOptions) {
    this.#options = options
    for (const [chain, { rpcUrl, evmChainId }] of Object.entries(options.chains)) {
      const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
      this.#rpcs.set(chain as Chain, new EvmRpc({ rpcUrl, evmChainId, timeoutMs }))
    }
  }

  /** The verdict on a message that no key of its sender signed. */
  async judge(message: SignedMessage): Promise<Verdict> {
    const call = smartWalletCall(message, erc6492SignatureValidatorByteCode)
    if (call === null || message.signature!.length > longestSignature) {
      return invalid('The signature is not of the sender')
    }
    if (this.#asked >= mostAsked) return unknown('Too many smart wallets are being asked; try again later')
    this.#asked += 1
    try {
      const approval = approvalOf(message)
      return (await this.#wasApproved(approval)) ? valid : await this.#ask(message.chain, call, approval)
    } catch (error) {
      this.#options.logger.warn({ err: error, chain: message.chain }, 'a smart wallet cannot be asked')
      // Only texts of ours: others may hold the URL of the endpoint.
      const why = error instanceof ChainSourceError ? `: ${error.message}` : ''
      return unknown(`The smart wallet of the sender cannot be asked now${why}`)
    } finally {
      this.#asked -= 1
    }
  }

  async #ask(chain: Chain, call: SmartWalletCall, approval: string): Promise<Verdict> {
    const rpc = this.#rpcs.get(chain)
    if (!rpc) {
      const reason =
        `The signature is not of the sender's key, and this node cannot ask a smart wallet on ${chain} ` +
        `(${chains[chain].name}): it has no RPC endpoint of that chain`
      return invalid(reason, { proven: false })
    }
    const { number: block } = await rpc.head()
    const returned = await rpc.call({ to: call.to, data: call.data, block })
    if (returned === null || !isSmartWalletApproval(call.standard, returned)) {
      return invalid('The signature is neither of the sender nor taken by a smart wallet at its address')
    }
    await this.#keep(approval, block)
    return valid
  }

  /** Ends questions under way; their messages get the verdict `unknown`. */
  close(): void {
    for (const rpc of this.#rpcs.values()) rpc.close()
  }

  async #wasApproved(approval: string): Promise<boolean> {
    const { rowCount } = await this.#options.pool.query({
      name: 'wallet-approval',
      text: 'select 1 from wallet_approvals where approval = $1',
      values: [approval],
    })
    return rowCount === 1
  }

  async #keep(approval: string, blockNumber: number): Promise<void> {
    await this.#options.pool.query(
      'insert into wallet_approvals (approval, block_number) values ($1, $2) on conflict do nothing',
      [approval, blockNumber],
    )
  }
}

/** Names everything an approval is about. */
function approvalOf({ chain, sender, type, item_hash, signature }: SignedMessage): string {
  const parts = [chain, sender, type, item_hash, signature]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
