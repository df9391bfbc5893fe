import { runHostCommand } from './host-command.ts'
import { NetworkError } from './network-error.ts'

/** The host's way to the outside. */
export interface Uplink {
  name: string
  /** Its first IPv4 address of global scope, else its first (protocol 05 §8.1). */
  ipv4: string
}

/** The interface with this name, else that of the default route. Throws NetworkError when there is none. */
export async function findUplink(wanted: string | null): Promise<Uplink> {
  const name = wanted ?? (await defaultInterface())
  const [found] = (await ipJson(['-4', 'address', 'show', 'dev', name])) as [
    { addr_info: { local: string; scope: string }[] }?,
  ]
  const addresses = found?.addr_info ?? []
  const chosen = addresses.find(({ scope }) => scope === 'global') ?? addresses[0]
  if (!chosen) throw new NetworkError(`the interface ${name} has no IPv4 address`)
  return { name, ipv4: chosen.local }
}

async function defaultInterface(): Promise<string> {
  const [route] = (await ipJson(['-4', 'route', 'show', 'default'])) as [{ dev: string }?]
  if (route) return route.dev
  throw new NetworkError('this host has no default route; name its interface in ALEPH_VM_NETWORK_INTERFACE')
}

async function ipJson(args: string[]): Promise<unknown> {
  return JSON.parse((await runHostCommand('ip', ['-json', ...args])) || '[]')
}
