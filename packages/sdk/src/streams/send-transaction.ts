import type { EthereumProvider } from '../account/ethereum-account.ts'
import { AlephError } from '../errors.ts'
import { pollUntil } from '../http/poll-until.ts'
import { assertChain } from './read-stream-rate.ts'

const defaultTimeoutMs = 120_000

/**
 * Sends a transaction of a wallet and waits until the chain has it.
 *
 * @param options.hint what may be missing when it fails
 * @returns its hash
 * @throws {AlephError} `wallet_refused` when it is not sent, `bad_request` when the chain refuses it, `timeout`
 */
export async function sendTransaction(
  provider: EthereumProvider,
  network: { chain: string; evmChainId: number },
  transaction: { from: string; to: string; data: string },
  options: { hint: string; timeoutMs?: number | undefined },
): Promise<string> {
  await assertChain(provider, network)
  const hash = await send(provider, transaction, options.hint)
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const receipt = await pollUntil(
    async () => {
      const params = [hash]
      const found = await provider.request({ method: 'eth_getTransactionReceipt', params })
      return (found as { status?: string } | null) ?? undefined
    },
    { timeoutMs },
  )
  if (!receipt) throw new AlephError('timeout', `Transaction ${hash} is in no block after ${timeoutMs} ms`)
  if (receipt.status === '0x1') return hash
  throw new AlephError('bad_request', `Transaction ${hash} was reverted`, { hint: options.hint })
}

async function send(
  provider: EthereumProvider,
  transaction: { from: string; to: string; data: string },
  hint: string,
): Promise<string> {
  try {
    return String(await provider.request({ method: 'eth_sendTransaction', params: [transaction] }))
  } catch (error) {
    throw new AlephError('wallet_refused', `The transaction was not sent: ${(error as Error).message}`, {
      hint,
      cause: error,
    })
  }
}
