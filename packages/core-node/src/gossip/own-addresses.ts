import { isPublicIp } from '@aleph-ts/protocol'
import { maxAddresses } from './announcement.ts'

/**
 * Of the addresses at which a host listens, those to tell others: public ones and names; without any, those of the own
 * network; else those of this machine.
 */
export function addressesToTell(multiaddrs: string[]): string[] {
  const reaches: ((address: string) => boolean)[] = [isPublic, (address) => !isLoopback(address), () => true]
  const lists = reaches.map((reach) => multiaddrs.filter(reach))
  return (lists.find((list) => list.length > 0) ?? []).slice(0, maxAddresses)
}

function isPublic(address: string): boolean {
  const [, family = '', host = ''] = address.split('/')
  return family.startsWith('dns') || isPublicIp(host)
}

function isLoopback(address: string): boolean {
  return /^\/(ip4\/127\.|ip6\/::1\/)/.test(address)
}
