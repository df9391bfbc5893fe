import { classifyHash } from '@aleph-ts/protocol'
import type { FastifyRequest } from 'fastify'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import type { Nonces } from './nonces.ts'
import { authenticateOwner } from './owner-auth.ts'
import { wholeBody } from './raw-body.ts'

export interface RequestAuthOptions {
  domainName: string
  nonces: Nonces
}

export interface OwnerAccessOptions extends RequestAuthOptions {
  messages: MessageSource
  /** Whether this node has, or had, such a VM. */
  isKnown: (hash: string) => boolean
}

/** Somebody proved who they are, and it is not the owner: 403 as plain text, as every Aleph client reads it. */
export class ForbiddenError extends Error {
  override readonly name = 'ForbiddenError'
  readonly code = 'forbidden'
}

/** Who sends a request signed by wallet and ephemeral key (protocol 05 §4.1). Throws OwnerAuthError. */
export function authenticateRequest(
  request: FastifyRequest,
  { domainName, nonces }: RequestAuthOptions,
): string {
  const now = Date.now() / 1000
  return authenticateOwner({
    signedPubKey: header(request, 'x-signedpubkey'),
    signedOperation: header(request, 'x-signedoperation'),
    method: request.method,
    path: decodedPath(request.raw.url ?? ''),
    domain: domainName,
    query: queryOf(request.raw.url ?? ''),
    body: wholeBody(request),
    now,
    takeNonce: (address, nonce, until) => nonces.take(address, nonce, until, now),
  })
}

/**
 * Lets the request through if its sender may act on the VM: 400 for what is no hash, then authentication,
 * then 404, then 403, in this order (protocol 05 §4.3).
 */
export async function assertOwner(
  request: FastifyRequest,
  ref: string,
  options: OwnerAccessOptions,
): Promise<void> {
  assertReference(ref)
  const sender = authenticateRequest(request, options)
  assertKnown(ref, options)
  if (!(await mayActOn(sender, ref, options.messages))) throw new ForbiddenError('Unauthorized sender')
}

export function assertReference(ref: string): void {
  if (classifyHash(ref) === null) throw new AgentError('invalid_reference', `Invalid ref: '${ref}'`)
}

export function assertKnown(ref: string, { isKnown }: OwnerAccessOptions): void {
  if (!isKnown(ref)) throw new AgentError('not_found', `No virtual machine with ref ${ref}`)
}

/** Owner of the message, or somebody its `security` aggregate lets act on instances (protocol 05 §4.3). */
export async function mayActOn(sender: string, ref: string, messages: MessageSource): Promise<boolean> {
  const { content } = await messages.get(ref)
  const owner = (content as { address?: unknown }).address
  if (typeof owner !== 'string') return false
  if (same(owner, sender)) return true
  const security = (await messages.aggregate(owner, 'security')) as { authorizations?: unknown } | null
  const entries = Array.isArray(security?.authorizations) ? security.authorizations : []
  return entries.some((entry: { address?: unknown; types?: unknown } | null) => {
    if (typeof entry?.address !== 'string' || !same(entry.address, sender)) return false
    const { types } = entry
    return (
      types === undefined ||
      types === null ||
      (Array.isArray(types) && (types.length === 0 || types.includes('INSTANCE')))
    )
  })
}

/** Path of a request as it is signed: percent-decoded, without query. */
export function decodedPath(url: string): string {
  const path = url.split('?', 1)[0] ?? ''
  try {
    return decodeURIComponent(path)
  } catch {
    throw new AgentError('invalid_request', 'The path is not percent-encoded UTF-8')
  }
}

/** Query of a request as it came, without `?`. */
export function queryOf(url: string): string {
  const at = url.indexOf('?')
  return at < 0 ? '' : url.slice(at + 1)
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
