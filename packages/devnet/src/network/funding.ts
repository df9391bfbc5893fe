import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type AlephPayment, transferAleph } from '@aleph-ts/contracts'
import { type DevAccount, devAccounts } from '@aleph-ts/contracts/local-chain'
import { sendSuperTokens } from '@aleph-ts/contracts/superfluid'
import type { DevnetChain } from './chain.ts'
import type { NetworkFile } from './network-file.ts'

const players = 9
/** Accounts of the chain that can pay for transactions. */
export const chainAccounts = players + 3

const accounts = devAccounts(chainAccounts)

/** Holds the whole supply and speaks for the network: registry, settings, prices. */
export const networkAuthority: DevAccount = accounts[0]!

/** Accounts for people to play with; their keys are those every Ethereum tool knows. */
export const playAccounts: NetworkFile['accounts'] = accounts
  .slice(1, 1 + players)
  .map((account) => ({ ...account, aleph: '100000' }))

/** Puts messages on chain; it does nothing else, so that nobody else uses its nonces. */
export const packerAccount: DevAccount = accounts.at(-2)!

/** Pays rewards, and nothing else. */
export const rewardsAccount: DevAccount = accounts.at(-1)!
export const rewardsAleph = '1000000'
/** Of the token that streams, for each play account. */
const streamingAleph = '10000'

/** Pays each account what it is to have, once per chain: who was paid is kept in `file`. */
export async function fundOnce(
  { chain, contracts }: DevnetChain,
  file: string,
  payments: readonly AlephPayment[],
): Promise<void> {
  const paid = readPaid(file, contracts.token)
  const due = payments.filter(({ to }) => !paid.includes(to))
  if (due.length === 0) return
  await transferAleph({
    rpcUrl: chain.rpcUrl,
    privateKey: networkAuthority.privateKey,
    token: contracts.token,
    payments: due,
  })
  await chain.save()
  mkdirSync(dirname(file), { recursive: true })
  const document = { token: contracts.token, paid: [...paid, ...due.map(({ to }) => to)] }
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`)
}

/** Gives play accounts the token that streams, once per chain. */
export async function fundStreamsOnce({ chain, contracts }: DevnetChain, file: string): Promise<void> {
  const { superToken } = contracts.superfluid
  if (readPaid(file, superToken).length > 0) return
  const recipients = playAccounts.map(({ address }) => address)
  const { privateKey } = networkAuthority
  await sendSuperTokens({
    rpcUrl: chain.rpcUrl,
    privateKey,
    superToken,
    recipients,
    amount: streamingAleph,
  })
  await chain.save()
  writeFileSync(file, `${JSON.stringify({ token: superToken, paid: recipients }, null, 2)}\n`)
}

function readPaid(file: string, token: string): string[] {
  if (!existsSync(file)) return []
  const known = JSON.parse(readFileSync(file, 'utf8')) as { token?: string; paid?: string[] }
  return known.token === token ? (known.paid ?? []) : []
}
