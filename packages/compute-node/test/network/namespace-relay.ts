import { type AddressInfo, connect, createServer, type ListenOptions, type Server } from 'node:net'
import { pipeline } from 'node:stream'

/** A place to listen or connect: a port of loopback, or a socket in the file system, which namespaces share. */
export type Place = { host: string; port: number } | { path: string }

/** Carries connections from one place to another. */
export async function relay(from: Place, to: Place): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    const onward = connect(to)
    pipeline(socket, onward, () => onward.destroy())
    pipeline(onward, socket, () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(from as ListenOptions, resolve))
  return { server, port: (server.address() as AddressInfo).port }
}

/** As a process of its own, inside a namespace: the two places as JSON; prints the port. */
if (import.meta.main) {
  const [from, to] = process.argv.slice(2).map((text) => JSON.parse(text) as Place)
  console.log((await relay(from as Place, to as Place)).port)
}
