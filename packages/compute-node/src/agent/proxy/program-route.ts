import { isIP } from 'node:net'
import { classifyHash, parseVmHostLabel } from '@aleph-ts/protocol'

/** Which program a request is for, and the request target as the program sees it (raw, query included). */
export interface ProgramTarget {
  hash: string
  path: string
  /** Path in front of the program's own, empty when it has a host of its own. */
  prefix: string
}

export type ProgramRoute =
  | { kind: 'program'; target: ProgramTarget }
  | { kind: 'invalid'; reference: string }
  /** A host of somebody's own; its `_aleph-id` TXT record may name a program. */
  | { kind: 'custom-domain'; host: string; path: string }
  | { kind: 'node' }

const VM_PATH = /^\/vm\/([^/?#]*)([^?#]*)(.*)$/s
const NODE_PATH = /^\/(about|v2|control|status|debug|metrics|vm)([/?]|$)/

/**
 * Decides who answers a request (protocol 05 §5.1): by path `/vm/<hash>/…`, by the base32 first label of the
 * host, by a custom domain, or the node itself. A program's own host serves all paths of that program.
 */
export function routeRequest(url: string, hostHeader: string | undefined, domainName: string): ProgramRoute {
  const path = originForm(url)
  const host = hostName(hostHeader)
  const byLabel = host === domainName ? null : parseVmHostLabel(host.split('.', 1)[0] ?? '')
  if (byLabel) return { kind: 'program', target: { hash: byLabel, path, prefix: '' } }
  const match = VM_PATH.exec(path)
  if (match) {
    const [, reference = '', rest = '', query = ''] = match
    if (classifyHash(reference) === null) return { kind: 'invalid', reference }
    const target = {
      hash: reference,
      path: `${rest === '' ? '/' : rest}${query}`,
      prefix: `/vm/${reference}`,
    }
    return { kind: 'program', target }
  }
  if (isOwnHost(host, domainName) || NODE_PATH.test(path)) return { kind: 'node' }
  return { kind: 'custom-domain', host, path }
}

/** Host header without port, lower case. */
export function hostName(hostHeader: string | undefined): string {
  const host = (hostHeader ?? '').toLowerCase()
  if (host.startsWith('[')) return host.slice(1, Math.max(host.indexOf(']'), 1))
  return host.replace(/:\d*$/, '')
}

function isOwnHost(host: string, domainName: string): boolean {
  return host === '' || host === domainName || host === 'localhost' || isIP(host) !== 0
}

function originForm(url: string): string {
  if (url.startsWith('/')) return url
  const afterScheme = /^https?:\/\/[^/?#]*(.*)$/is.exec(url)?.[1] ?? '/'
  return afterScheme.startsWith('/') ? afterScheme : `/${afterScheme}`
}
