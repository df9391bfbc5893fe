import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import type { Place } from './relay.ts'

/** Lets a server listen; returns the port actually taken. Rejects with the system's error. */
export async function listenAt(server: Server, { host, port }: Place): Promise<number> {
  server.listen({ host, port })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
