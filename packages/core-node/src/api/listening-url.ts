import type { AddressInfo, Server } from 'node:net'

/** Where a server that listens on a port answers HTTP. */
export function listeningUrl(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
