import type { DevnetChain } from './chain.ts'

/** Credits for one ALEPH; a dollar is a million of them. */
const creditsPerAleph = '100000'

/** How people pay on a devnet besides by holding, as its profile says it. */
export function paymentsOn({ chain, contracts }: DevnetChain) {
  const { superToken, forwarder } = contracts.superfluid
  const where = { chain: 'ETH' as const, evmChainId: chain.chainId }
  return {
    streams: [{ ...where, superToken, forwarder }],
    creditSales: [
      {
        ...where,
        contract: contracts.credits.address,
        tokenContract: contracts.token,
        token: 'ALEPH',
        decimals: 18,
        creditsPerToken: creditsPerAleph,
        bonusPercent: 20,
        startBlock: contracts.credits.blockNumber,
        finalAfterBlocks: 0,
      },
    ],
  }
}
