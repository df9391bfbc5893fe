import { homedir } from 'node:os'
import { join } from 'node:path'
import { mainnetProfile } from '@aleph-ts/protocol'
import { AlephClient } from '@aleph-ts/sdk'
import type { Command } from 'commander'
import { AccountStore } from './account/account-store.ts'
import { type Identity, resolveIdentity } from './account/resolve-account.ts'
import { LaunchKeyStore } from './confidential/launch-key-store.ts'
import { exitCodes } from './exit-codes.ts'
import { CliError } from './failure.ts'
import type { Network } from './network/network.ts'
import { resolveNetwork } from './network/resolve-network.ts'
import { Output } from './terminal/output.ts'
import { askConfirmation, askSecret, isInteractive } from './terminal/prompts.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Options every command takes. */
export interface GlobalOptions {
  network?: string
  account?: string
  channel?: string
  json?: boolean
  yes?: boolean
  debug?: boolean
}

/** One run of one command: what it was told, and what it may use. Everything is found when first asked for. */
export class Session {
  readonly terminal: Terminal
  readonly output: Output
  readonly store: AccountStore
  readonly launches: LaunchKeyStore
  readonly #options: GlobalOptions
  #network: Promise<Network> | undefined

  constructor(terminal: Terminal, options: GlobalOptions) {
    this.terminal = terminal
    this.#options = options
    this.output = new Output(terminal, options.json ?? false)
    this.store = new AccountStore(homeFolder(terminal))
    this.launches = new LaunchKeyStore(homeFolder(terminal))
  }

  static of(terminal: Terminal, command: Command): Session {
    return new Session(terminal, command.optsWithGlobals<GlobalOptions>())
  }

  get signal(): AbortSignal {
    return this.terminal.signal
  }

  network(): Promise<Network> {
    this.#network ??= this.#findNetwork()
    return this.#network
  }

  async identity(): Promise<Identity> {
    return resolveIdentity({
      asked: this.#options.account ?? emptyToUndefined(this.terminal.env.ALEPH_ACCOUNT),
      privateKey: emptyToUndefined(this.terminal.env.ALEPH_PRIVATE_KEY),
      store: this.store,
      network: await this.network(),
      askPassphrase: (name) => this.passphrase(`Passphrase of account "${name}"`),
    })
  }

  /** A client that reads. */
  async reader(): Promise<AlephClient> {
    return new AlephClient(await this.#clientOptions())
  }

  /** A client that signs; asks for the passphrase when the key has one. */
  async signer(): Promise<AlephClient> {
    const identity = await this.identity()
    return new AlephClient({ ...(await this.#clientOptions()), account: await identity.unlock() })
  }

  get channel(): string {
    return this.#options.channel ?? mainnetProfile.channels.default
  }

  /** The passphrase: from ALEPH_PASSPHRASE, else asked for. */
  async passphrase(question: string): Promise<string> {
    const given = this.terminal.env.ALEPH_PASSPHRASE
    if (given !== undefined) return given
    if (this.interactive) return askSecret(this.terminal, question)
    throw new CliError('passphrase_needed', 'A passphrase is needed, and there is nobody to type it', {
      exitCode: exitCodes.forbidden,
      hint: 'Set ALEPH_PASSPHRASE, or run in a terminal.',
    })
  }

  get interactive(): boolean {
    return isInteractive(this.terminal, this.output.json)
  }

  /** Asks before something that cannot be undone; a script that runs the command has decided already. */
  async confirm(question: string): Promise<void> {
    if (this.interactive && !this.#options.yes) await askConfirmation(this.terminal, question)
  }

  async #clientOptions() {
    const { apiUrls, schedulerUrl, programGatewayUrl } = await this.network()
    return {
      apiUrls,
      channel: this.channel,
      ...(schedulerUrl === undefined ? {} : { schedulerUrl }),
      ...(programGatewayUrl === undefined ? {} : { programGatewayUrl }),
    }
  }

  async #findNetwork(): Promise<Network> {
    const asked = this.#options.network ?? emptyToUndefined(this.terminal.env.ALEPH_NETWORK)
    const { network, remark } = await resolveNetwork(asked, this.terminal.cwd, this.signal)
    if (remark !== undefined) this.output.note(remark)
    return network
  }
}

function homeFolder(terminal: Terminal): string {
  const { ALEPH_HOME, XDG_CONFIG_HOME, HOME } = terminal.env
  if (ALEPH_HOME) return ALEPH_HOME
  return join(XDG_CONFIG_HOME || join(HOME || homedir(), '.config'), 'aleph')
}

function emptyToUndefined(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
