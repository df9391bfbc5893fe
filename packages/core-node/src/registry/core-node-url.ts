import type { CoreNode } from '@aleph-ts/protocol'

const defaultApiPort = 4024

/** Where the API of a core node answers: its own word, else the usual port of the host it is registered with. */
export function coreNodeUrl({ address, multiaddress }: CoreNode): string | null {
  const own = webAddress(address)
  if (own !== null) return own
  const [, host] = /^\/(?:ip4|dns|dns4)\/([A-Za-z0-9.-]{1,253})\//.exec(multiaddress) ?? []
  return host === undefined ? null : `http://${host}:${defaultApiPort}`
}

/** A registered address without slashes at its end; null when it is none of the web. */
export function webAddress(address: string): string | null {
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) return null
  return address.replace(/\/+$/, '')
}
