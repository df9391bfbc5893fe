import { parseStreamRate, type StreamNetwork, streamRateCall } from '@aleph-ts/protocol'
import type { EthereumProvider } from '../account/ethereum-account.ts'
import { AlephError } from '../errors.ts'

/**
 * How much flows from a payer to a receiver now, token units per second (protocol 04 §22.2); 0 when nothing does.
 *
 * @example
 * const provider = httpProvider('https://…')
 * const rate = await readStreamRate(provider, network, { payer, receiver })
 * @throws {AlephError} `bad_response` when the chain has no such contract, or is another one
 */
export async function readStreamRate(
  provider: EthereumProvider,
  network: StreamNetwork,
  flow: { payer: string; receiver: string },
): Promise<bigint> {
  await assertChain(provider, network)
  const data = streamRateCall({ ...flow, token: network.superToken })
  const answer = await provider.request({
    method: 'eth_call',
    params: [{ to: network.forwarder, data }, 'latest'],
  })
  try {
    return parseStreamRate(String(answer))
  } catch (error) {
    throw new AlephError('bad_response', `${(error as Error).message} on ${network.chain}`, { cause: error })
  }
}

/** @throws {AlephError} `bad_response` when the provider speaks for another chain */
export async function assertChain(
  provider: EthereumProvider,
  network: { chain: string; evmChainId: number },
): Promise<void> {
  const chainId = Number(await provider.request({ method: 'eth_chainId' }))
  if (chainId === network.evmChainId) return
  throw new AlephError('bad_response', `The EVM node or wallet is on chain ${chainId}`, {
    hint: `Switch to ${network.chain}, chain ${network.evmChainId}.`,
  })
}
