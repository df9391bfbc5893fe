import { lookup as resolveName } from 'node:dns'
import type { LookupFunction } from 'node:net'

/** An address that somebody registered leads into a private network. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError'
  readonly code = 'private_address'

  /** @param host name or address */
  constructor(host: string) {
    super(`${host} is no public address: this node connects to public ones only`)
  }
}

/**
 * A resolver for connections: it finds only the addresses of a name that may be connected to, so that the very address
 * that was judged is connected to, whatever the name says a moment later.
 *
 * @returns a function that fails with {@link PrivateAddressError} when no address of the name may be
 */
export function checkedLookup(isAllowed: (address: string, name: string) => boolean): LookupFunction {
  return (name, options, callback) => {
    resolveName(name, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 4)
      const addresses = found.filter(({ address }) => isAllowed(address, name))
      const [first] = addresses
      if (!first) return callback(new PrivateAddressError(name), '', 4)
      return options.all ? callback(null, addresses) : callback(null, first.address, first.family)
    })
  }
}
