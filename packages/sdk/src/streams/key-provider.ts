import { createWalletClient, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { EthereumProvider } from '../account/ethereum-account.ts'
import { httpProvider } from './http-provider.ts'

/**
 * A wallet of one private key (0x and 64 hex digits): transactions are signed here and sent to an EVM node.
 *
 * @example
 * const provider = keyProvider({ rpcUrl, privateKey })
 */
export function keyProvider(options: { rpcUrl: string; privateKey: `0x${string}` }): EthereumProvider {
  const account = privateKeyToAccount(options.privateKey)
  const client = createWalletClient({ account, transport: http(options.rpcUrl) })
  const reader = httpProvider(options.rpcUrl)
  return {
    async request({ method, params = [] }) {
      if (method !== 'eth_sendTransaction') return await reader.request({ method, params })
      const { to, data } = params[0] as { to: `0x${string}`; data: `0x${string}` }
      const estimate = await reader.request({
        method: 'eth_estimateGas',
        params: [{ from: account.address, to, data }],
      })
      // A stream costs more to change when time has passed since the estimate.
      const gas = (BigInt(String(estimate)) * 13n) / 10n
      return await client.sendTransaction({ to, data, gas, chain: null })
    },
  }
}
