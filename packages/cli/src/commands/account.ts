import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import type { Account } from '@aleph-ts/sdk'
import { type Command, Option } from 'commander'
import type { StoredAccount } from '../account/account-store.ts'
import { sealKey } from '../account/key-cipher.ts'
import {
  accountOfKey,
  type KeyChain,
  keyChains,
  newPrivateKey,
  type PrivateKey,
  readPrivateKey,
} from '../account/private-key-text.ts'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { shownAmount } from '../terminal/printable.ts'
import { askSecret } from '../terminal/prompts.ts'
import { fields, table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface KeyOptions {
  chain?: KeyChain
  passphrase: boolean
}

const createHelp = `
The key is encrypted with a passphrase (asked for, or from ALEPH_PASSPHRASE). Nobody can restore a lost key or
passphrase: copy the file it prints to a safe place.

Examples:
  aleph account create
  aleph account create work --chain SOL
  aleph account create ci --no-passphrase`

const importHelp = `
The key is read from standard input, from --key-file, or asked for; never from the command line, which others
on the machine can see. Understood: 64 hexadecimal digits, a recovery phrase (ETH), a Solana wallet's export.

Examples:
  aleph account import main --key-file key.txt
  pass show wallet | aleph account import main`

/** `aleph account`: the keys this machine keeps. */
export function accountCommand(root: Command, terminal: Terminal): void {
  const account = root.command('account').description('the keys you act with')
  const chain = () => new Option('--chain <chain>', 'kind of key').choices([...keyChains])
  account
    .command('create')
    .argument('[name]', 'what to call it', 'default')
    .description('make a new key')
    .addOption(chain().default('ETH'))
    .option('--no-passphrase', 'keep the key readable (by you alone)')
    .addHelpText('after', createHelp)
    .action((name: string, options: KeyOptions, command: Command) =>
      create(Session.of(terminal, command), name, options),
    )
  account
    .command('import')
    .argument('[name]', 'what to call it', 'default')
    .description('keep a key you have')
    .addOption(chain())
    .option('--key-file <path>', 'file that holds the key')
    .option('--no-passphrase', 'keep the key readable (by you alone)')
    .addHelpText('after', importHelp)
    .action((name: string, options: KeyOptions & { keyFile?: string }, command: Command) =>
      importKey(Session.of(terminal, command), name, options),
    )
  account
    .command('show')
    .argument('[name]', 'an account of yours, or devnet:N; the one that would act by default')
    .description('show address and balance')
    .action((name: string | undefined, _options: object, command: Command) => show(terminal, command, name))
  account
    .command('list')
    .description('list the accounts of this machine and of the devnet')
    .action((_options: object, command: Command) => list(Session.of(terminal, command)))
  account
    .command('use')
    .argument('<name>', 'an account of yours')
    .description('make an account the default')
    .action((name: string, _options: object, command: Command) => use(Session.of(terminal, command), name))
}

async function create(session: Session, name: string, options: KeyOptions): Promise<void> {
  refuseTaken(session, name)
  const key = newPrivateKey(options.chain ?? 'ETH')
  await keep(session, name, key, accountOfKey(key), options.passphrase)
}

async function importKey(
  session: Session,
  name: string,
  options: KeyOptions & { keyFile?: string },
): Promise<void> {
  refuseTaken(session, name)
  const key = await readPrivateKey(await keyText(session, options.keyFile), options.chain)
  await keep(session, name, key, accountOfKey(key), options.passphrase)
}

async function keyText(session: Session, keyFile: string | undefined): Promise<string> {
  const { env, cwd, stdin } = session.terminal
  if (keyFile !== undefined && keyFile !== '-') return readFile(resolve(cwd, keyFile), 'utf8')
  if (keyFile === undefined && env.ALEPH_PRIVATE_KEY) return env.ALEPH_PRIVATE_KEY
  if (keyFile === undefined && session.interactive) {
    return askSecret(session.terminal, 'Private key or recovery phrase')
  }
  return readAll(stdin)
}

/** Seen before a passphrase is asked for, not after. */
function refuseTaken(session: Session, name: string): void {
  if (!session.store.has(name)) return
  throw new CliError('account_exists', `There already is an account "${name}"`, {
    exitCode: exitCodes.conflict,
    hint: 'Choose another name.',
  })
}

async function keep(
  session: Session,
  name: string,
  { chain, key }: PrivateKey,
  account: Account,
  withPassphrase: boolean,
): Promise<void> {
  const stored: StoredAccount = { version: 1, name, chain, address: account.address }
  session.store.add(
    withPassphrase
      ? { ...stored, sealed: await sealKey(key, await newPassphrase(session), account.address) }
      : { ...stored, privateKey: Buffer.from(key).toString('hex') },
  )
  const document = describe(session, name)
  session.output.result(document, () => accountText(document))
}

async function newPassphrase(session: Session): Promise<string> {
  const passphrase = await session.passphrase('A passphrase for the key')
  if (passphrase === '') {
    throw new CliError('empty_passphrase', 'The passphrase is empty', {
      exitCode: exitCodes.usage,
      hint: 'Choose one, or say --no-passphrase.',
    })
  }
  if (session.terminal.env.ALEPH_PASSPHRASE === undefined) {
    const again = await askSecret(session.terminal, 'The same passphrase again')
    if (again !== passphrase) {
      throw new CliError('passphrase_differs', 'The two passphrases differ', { exitCode: exitCodes.usage })
    }
  }
  return passphrase
}

interface AccountDocument {
  name: string
  chain: string
  address: string
  encrypted: boolean
  default: boolean
  file: string
}

function describe(session: Session, name: string): AccountDocument {
  const { chain, address, sealed } = session.store.read(name)
  return {
    name,
    chain,
    address,
    encrypted: sealed !== undefined,
    default: session.store.defaultName() === name,
    file: session.store.path(name),
  }
}

function accountText(account: AccountDocument): string {
  return fields([
    ['account', account.name + (account.default ? ' (default)' : '')],
    ['address', account.address],
    ['chain', account.chain],
    ['key', `${account.encrypted ? 'encrypted' : 'not encrypted'}, ${account.file}`],
  ])
}

async function show(terminal: Terminal, command: Command, name: string | undefined): Promise<void> {
  const options = command.optsWithGlobals()
  const session = new Session(terminal, name === undefined ? options : { ...options, account: name })
  const { name: shownName, chain, address } = await session.identity()
  const network = await session.network()
  const balance = await (await session.reader()).getBalance(address, { signal: session.signal })
  const document = {
    name: shownName,
    chain,
    address,
    network: network.name,
    balance: {
      total: balance.total,
      locked: balance.locked,
      available: balance.available,
      credits: balance.credits,
    },
  }
  session.output.result(document, () =>
    fields([
      ['account', shownName],
      ['address', address],
      ['chain', chain],
      ['network', network.name],
      ['balance', `${shownAmount(balance.total)} ALEPH`],
      ['locked', balance.locked === '0' ? null : `${shownAmount(balance.locked)} ALEPH`],
      ['available', `${shownAmount(balance.available)} ALEPH`],
      ['credits', balance.credits === '0' ? null : balance.credits],
    ]),
  )
}

async function list(session: Session): Promise<void> {
  const own = session.store.names().map((name) => describe(session, name))
  const { accounts } = await session.network()
  const devnet = accounts.map(({ address, aleph }, index) => ({ name: `devnet:${index}`, address, aleph }))
  session.output.result({ accounts: own, devnet_accounts: devnet }, () => {
    const parts: string[] = []
    if (own.length > 0) {
      const rows = own.map((each) => [
        each.name,
        each.address,
        each.chain,
        each.encrypted ? 'encrypted' : 'open',
        each.default ? 'default' : '',
      ])
      parts.push(table(['account', 'address', 'chain', 'key', ''], rows))
    }
    if (devnet.length > 0) {
      parts.push(
        table(
          ['devnet', 'address', 'aleph'],
          devnet.map((each) => [each.name, each.address, each.aleph]),
        ),
      )
    }
    return parts.join('\n\n') || 'No account yet: "aleph account create" makes one.'
  })
}

function use(session: Session, name: string): void {
  session.store.setDefault(name)
  const document = describe(session, name)
  session.output.result(document, () => accountText(document))
}
