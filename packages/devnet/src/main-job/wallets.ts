import { randomBytes } from 'node:crypto'
import { transferAleph } from '@aleph-ts/contracts'
import { EthereumAccount } from '@aleph-ts/sdk'
import type { Devnet } from '../devnet.ts'
import { networkAuthority } from '../network/funding.ts'
import { until } from './until.ts'

const richAleph = '2000'
const poorAleph = '100'

export interface JobWallets {
  /** Holds enough ALEPH for a program. */
  rich: EthereumAccount
  /** Holds too little. */
  poor: EthereumAccount
}

/** Two new wallets with ALEPH from the chain; returns once every core node has seen it there. */
export async function fundWallets(devnet: Devnet): Promise<JobWallets> {
  const [rich, poor] = [newAccount(), newAccount()]
  const { chain, contracts } = devnet.chain
  await transferAleph({
    rpcUrl: chain.rpcUrl,
    privateKey: networkAuthority.privateKey,
    token: contracts.token,
    payments: [
      { to: rich.address, aleph: richAleph },
      { to: poor.address, aleph: poorAleph },
    ],
  })
  for (const index of devnet.coreNodes.keys()) {
    const client = devnet.client(index)
    await until(`core node ${index + 1} sees the wallets' ALEPH`, async () => {
      const [first, second] = await Promise.all([
        client.getBalance(rich.address),
        client.getBalance(poor.address),
      ])
      return first.total === richAleph && second.total === poorAleph
    })
  }
  return { rich, poor }
}

function newAccount(): EthereumAccount {
  return EthereumAccount.fromPrivateKey(`0x${randomBytes(32).toString('hex')}`)
}
