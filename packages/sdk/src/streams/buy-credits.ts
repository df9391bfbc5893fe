import { type CreditSale, creditsBought } from '@aleph-ts/protocol'
import type { EthereumProvider } from '../account/ethereum-account.ts'
import { AlephError } from '../errors.ts'
import { sendTransaction } from './send-transaction.ts'

export interface CreditPurchaseOptions {
  /** One of the profile's `creditSales`. */
  sale: CreditSale
  /** A wallet that sends transactions: a browser's, or {@link keyProvider}. */
  provider: EthereumProvider
  /** Address that pays and gets the credits. */
  buyer: string
  /** Smallest units of the token. */
  units: bigint
  /** How long the transaction may take to be in a block, ms; default two minutes. */
  timeoutMs?: number
}

/**
 * Sends tokens to the network's credit contract (protocol 04 §19.2). The credits come once the network has seen the
 * payment deep enough in its chain.
 *
 * @returns hash of the transaction, and how many credits it gives
 * @throws {AlephError} `bad_request` for an amount that gives none or that the chain refuses, `wallet_refused`,
 * `timeout`
 */
export async function buyCredits({ sale, provider, buyer, units, timeoutMs }: CreditPurchaseOptions) {
  const { credits } = creditsBought(units, sale)
  if (units <= 0n || credits <= 0n) {
    throw new AlephError('bad_request', `So little ${sale.token} buys no credits`)
  }
  const data = transferCall(sale.contract, units)
  const txHash = await sendTransaction(
    provider,
    sale,
    { from: buyer, to: sale.tokenContract, data },
    { hint: `The wallet needs the fee, and that much ${sale.token}.`, timeoutMs },
  )
  return { txHash, credits }
}

/** `transfer(address,uint256)` of a token, in the EVM's encoding. */
function transferCall(to: string, units: bigint): string {
  const word = (hex: string) => hex.padStart(64, '0')
  return `0xa9059cbb${word(to.slice(2).toLowerCase())}${word(units.toString(16))}`
}
