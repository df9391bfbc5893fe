import type { Account } from '../account/account.ts'
import { AlephError } from '../errors.ts'
import { createTransport, type Transport, type TransportOptions } from '../http/transport.ts'

export interface ClientOptions extends TransportOptions {
  /** One core node … */
  apiUrl?: string
  /** … or several: the first is preferred, the others take over when it does not answer. */
  apiUrls?: readonly string[]
  /** Who signs. Reading needs no account. */
  account?: Account
  /** Channel of messages that name none. */
  channel?: string
  /** Where allocations are asked for; the core nodes themselves by default. */
  schedulerUrl?: string
  /** A load balancer that serves `/vm/<hash>` for programs no node was assigned to. */
  programGatewayUrl?: string
}

/** What every action works with. Make one with `createClientContext`, or use `AlephClient`. */
export interface ClientContext {
  readonly core: Transport
  readonly scheduler: Transport
  readonly account: Account | undefined
  readonly channel: string | null
  readonly programGatewayUrl: string | undefined
}

export function createClientContext(options: ClientOptions): ClientContext {
  const core = createTransport(
    options.apiUrls ?? (options.apiUrl === undefined ? [] : [options.apiUrl]),
    options,
  )
  return {
    core,
    scheduler: options.schedulerUrl === undefined ? core : createTransport(options.schedulerUrl, options),
    account: options.account,
    channel: options.channel ?? null,
    programGatewayUrl: options.programGatewayUrl?.replace(/\/+$/, ''),
  }
}

/** The account, or an error that says where to put one. */
export function requireAccount(context: ClientContext): Account {
  if (context.account) return context.account
  throw new AlephError('account_required', 'This call signs a message and the client has no account', {
    hint: 'Create the client with { account: EthereumAccount.fromPrivateKey(…) }.',
  })
}
