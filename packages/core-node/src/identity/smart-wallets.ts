import {
  type Chain,
  isSmartWalletApproval,
  type SignedMessage,
  type SmartWalletCall,
  smartWalletCall,
} from '@aleph-ts/protocol'
import { erc6492SignatureValidatorByteCode } from 'viem'
import { ChainSourceError } from '../chains/chain-source.ts'
import type { EvmRpc } from '../chains/evm-rpc.ts'
import { RecentSet } from '../gossip/recent-set.ts'

/** A wallet contract may have made a signature, and its chain cannot be asked now. */
export class SmartWalletUnavailableError extends Error {
  readonly code = 'smart_wallet_unavailable'
}

/** Questions to all chains at once; more are turned away rather than piled up. */
const mostQuestions = 32
const rememberedAnswers = 20_000
/** How long an address without code is taken for an ordinary one, ms. */
const ordinaryMs = 60_000
const mostOrdinary = 10_000

/**
 * Asks wallet contracts whether a signature is theirs (ERC-1271), also before they are deployed (ERC-6492; protocol 01
 * §4.4). What a contract once approved stays approved here, whatever it says later.
 */
export class SmartWallets {
  readonly #chains: ReadonlyMap<Chain, EvmRpc>
  readonly #approved = new RecentSet(rememberedAnswers)
  readonly #ordinaryUntil = new Map<string, number>()
  #questions = 0

  constructor(chains: ReadonlyMap<Chain, EvmRpc>) {
    this.#chains = chains
  }

  /**
   * False also when the message's chain has no RPC here.
   *
   * @throws {SmartWalletUnavailableError}
   */
  async approves(message: SignedMessage): Promise<boolean> {
    const rpc = this.#chains.get(message.chain)
    const call = rpc && smartWalletCall(message, erc6492SignatureValidatorByteCode)
    if (!call) return false
    const key = `${message.chain}\n${message.sender}\n${message.item_hash}\n${message.signature}`
    if (this.#approved.has(key)) return true
    const answer = await this.#ask(message, rpc, call)
    if (answer) this.#approved.add(key)
    return answer
  }

  /** Ends the questions under way. */
  close(): void {
    for (const rpc of this.#chains.values()) rpc.close()
  }

  async #ask({ chain, sender }: SignedMessage, rpc: EvmRpc, call: SmartWalletCall): Promise<boolean> {
    const account = `${chain}:${sender.toLowerCase()}`
    if (call.standard === 'erc1271' && this.#isOrdinary(account)) return false
    if (this.#questions >= mostQuestions) {
      throw new SmartWalletUnavailableError(
        `Too many wallet contracts are being asked on ${chain}; try again later`,
      )
    }
    this.#questions += 1
    try {
      if (call.standard === 'erc1271' && !(await rpc.hasCode(call.to!))) {
        this.#rememberOrdinary(account)
        return false
      }
      const returned = await rpc.call({ to: call.to, data: call.data })
      return returned !== undefined && isSmartWalletApproval(call.standard, returned)
    } catch (error) {
      if (!(error instanceof ChainSourceError)) throw error
      throw new SmartWalletUnavailableError(
        `${chain} cannot be asked about the wallet ${sender}: ${error.message}`,
        {
          cause: error,
        },
      )
    } finally {
      this.#questions -= 1
    }
  }

  #isOrdinary(account: string): boolean {
    return (this.#ordinaryUntil.get(account) ?? 0) > Date.now()
  }

  #rememberOrdinary(account: string): void {
    if (this.#ordinaryUntil.size >= mostOrdinary) this.#ordinaryUntil.clear()
    this.#ordinaryUntil.set(account, Date.now() + ordinaryMs)
  }
}
