import { type Envelope, personalSign, verificationBuffer } from '@aleph-ts/protocol'
import { MessageMill } from '../../src/testing/index.ts'
import { newWallet, sign, type Wallet } from '../testing/wallet.ts'

/** A message, and the file that goes with it. */
export interface Parcel {
  message: Envelope
  file: string | undefined
}

/** Many things that concern each other, so that order matters: who may write for whom, and what is there to name. */
const mix = {
  post: 49,
  aggregate: 15,
  amend: 9,
  store: 9,
  revision: 4,
  program: 3,
  instance: 1,
  forget: 4,
  permission: 1,
  delegated: 4,
  retraction: 1,
}

/**
 * Signed messages of a few accounts, in the order in which they were written.
 *
 * @param seed equal seeds give the same story, of other accounts
 */
export function story(wallets: Wallet[], count: number, seed: number): Parcel[] {
  const byAddress = new Map(wallets.map((wallet) => [wallet.address, wallet]))
  const mill = new MessageMill({
    seed,
    addresses: [...byAddress.keys()],
    since: Math.floor(Date.now() / 1000) - count - 60,
    mix,
    keepFiles: true,
  })
  return mill.take(count).map((unsigned) => {
    const { privateKey } = byAddress.get(unsigned.sender)!
    const message = { ...unsigned, signature: personalSign(verificationBuffer(unsigned), privateKey) }
    const { item_hash: hash } = JSON.parse(message.item_content!) as { item_hash?: string }
    return { message, file: hash === undefined ? undefined : mill.files.get(hash) }
  })
}

/** Accounts of which some can pay for every program, and some for a few. */
export function newAccounts(count: number): { wallets: Wallet[]; balances: Record<string, number> } {
  const wallets = Array.from({ length: count }, newWallet)
  const balances = wallets.map(({ address }, index) => [address, index % 3 === 0 ? 700 : 1_000_000])
  return { wallets, balances: Object.fromEntries(balances) }
}

/** What the publisher of balances says that accounts hold. */
export function balancesPost(publisher: Wallet, balances: Record<string, number>): Envelope {
  const content = { chain: 'SOL', main_height: 1, balances }
  return sign(publisher, 'POST', { type: 'balances-update', content })
}

/** The registry of some nodes, which says where to ask for files. */
export function registryOf(registrar: Wallet, urls: string[]): Envelope {
  const nodes = urls.map((address, index) => ({
    hash: String(index).padStart(64, '0'),
    owner: registrar.address,
    status: 'active',
    address,
    resource_nodes: [],
  }))
  return sign(registrar, 'AGGREGATE', { key: 'corechannel', content: { nodes, resource_nodes: [] } })
}
