import type { Account } from '@aleph-ts/sdk'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { Network } from '../network/network.ts'
import type { AccountStore } from './account-store.ts'
import { openKey } from './key-cipher.ts'
import { accountOfKey, type PrivateKey, readPrivateKey } from './private-key-text.ts'

/** Who acts: known by address at once, by key only when something is signed. */
export interface Identity {
  /** Name in the store, `devnet:N`, or `ALEPH_PRIVATE_KEY`. */
  name: string
  chain: string
  address: string
  /** Opens the key; asks for the passphrase when it has one. */
  unlock(): Promise<Account>
  /** The key itself, for transactions on a chain; asks like `unlock`. */
  unlockKey(): Promise<PrivateKey>
}

export interface IdentitySources {
  /** What --account said. */
  asked: string | undefined
  privateKey: string | undefined
  store: AccountStore
  network: Network
  askPassphrase: (name: string) => Promise<string>
}

/**
 * Finds who acts: --account, else the key in ALEPH_PRIVATE_KEY, else the default account, else (on a devnet)
 * its first funded account.
 */
export async function resolveIdentity(sources: IdentitySources): Promise<Identity> {
  const { asked, privateKey, store, network } = sources
  const devnetIndex = /^devnet:(\d{1,4})$/.exec(asked ?? '')?.[1]
  if (devnetIndex !== undefined) return devnetIdentity(network, Number(devnetIndex))
  if (asked !== undefined) return storedIdentity(sources, asked)
  if (privateKey) return keyIdentity('ALEPH_PRIVATE_KEY', privateKey)
  const name = store.defaultName() ?? store.names()[0]
  if (name !== undefined) return storedIdentity(sources, name)
  if (network.accounts.length > 0) return devnetIdentity(network, 0)
  throw new CliError('no_account', 'You have no account yet', {
    exitCode: exitCodes.forbidden,
    hint: 'Make one with "aleph account create", or set ALEPH_PRIVATE_KEY.',
  })
}

function devnetIdentity(network: Network, index: number): Promise<Identity> {
  const entry = network.accounts[index]
  if (entry) return keyIdentity(`devnet:${index}`, entry.privateKey)
  throw new CliError('unknown_account', `The ${network.name} has no account devnet:${index}`, {
    exitCode: exitCodes.notFound,
    hint:
      network.accounts.length > 0
        ? `It has devnet:0 to devnet:${network.accounts.length - 1}.`
        : 'These accounts exist on a running devnet only; start one with "npm run up".',
  })
}

async function keyIdentity(name: string, text: string): Promise<Identity> {
  const key = await readPrivateKey(text)
  const account = accountOfKey(key)
  return {
    name,
    chain: account.chain,
    address: account.address,
    unlock: async () => account,
    unlockKey: async () => key,
  }
}

function storedIdentity({ store, askPassphrase }: IdentitySources, name: string): Identity {
  const { chain, address, sealed, privateKey } = store.read(name)
  async function unlockKey(): Promise<PrivateKey> {
    const key = sealed
      ? await openKey(sealed, await askPassphrase(name), address)
      : Buffer.from(privateKey ?? '', 'hex')
    return { chain, key }
  }
  const unlock = async () => accountOfKey(await unlockKey())
  return { name, chain, address, unlock, unlockKey }
}
