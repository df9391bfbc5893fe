import { type DevAccount, devAccounts } from '@aleph-ts/contracts/local-chain'
import type { NetworkFile } from './network-file.ts'

/** Holds the whole supply and speaks for the network: registry, settings, prices. */
export const networkAuthority: DevAccount = devAccounts(1)[0]!

/** Accounts for people to play with; their keys are those every Ethereum tool knows. */
export const playAccounts: NetworkFile['accounts'] = devAccounts(10)
  .slice(1)
  .map((account) => ({ ...account, aleph: '100000' }))
