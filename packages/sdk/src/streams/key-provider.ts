import { createWalletClient, http, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { EthereumProvider } from '../account/ethereum-account.ts'
import { httpProvider } from './http-provider.ts'

/** Percent. What flows depends on the time, so a transaction may need more gas than it would have a moment before. */
const gasMargin = 150n

/**
 * A wallet of one private key (0x and 64 hex digits): transactions are signed here and sent to an EVM node.
 *
 * @example
 * const provider = keyProvider({ rpcUrl, privateKey })
 */
export function keyProvider(options: { rpcUrl: string; privateKey: `0x${string}` }): EthereumProvider {
  const account = privateKeyToAccount(options.privateKey)
  const client = createWalletClient({ account, transport: http(options.rpcUrl) }).extend(publicActions)
  const reader = httpProvider(options.rpcUrl)
  return {
    async request({ method, params = [] }) {
      if (method !== 'eth_sendTransaction') return await reader.request({ method, params })
      const { to, data } = params[0] as { to: `0x${string}`; data: `0x${string}` }
      const gas = await client.estimateGas({ account, to, data })
      return await client.sendTransaction({ to, data, chain: null, gas: (gas * gasMargin) / 100n })
    },
  }
}
