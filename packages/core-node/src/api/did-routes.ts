import { addressKey, DidError, type DidErrorCode, didDocument, formatDid, parseDid } from '@aleph-ts/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { CoreNodeContext } from '../context.ts'

/** The document alone, in the representations it can be read as; the first is what is sent when anything will do. */
const documentTypes = [
  'application/did+json',
  'application/did+ld+json',
  'application/did',
  'application/json',
]
/** The document with what was found out on the way. */
const resultType = 'application/did-resolution'

/** Errors of W3C DID Resolution and the HTTP status its HTTP(S) binding gives them. */
const statusOfError = {
  invalidDid: 400,
  notFound: 404,
  representationNotSupported: 406,
  methodNotSupported: 501,
} as const
type ResolutionError = keyof typeof statusOfError

const resolutionErrors: Record<DidErrorCode, ResolutionError> = {
  invalid_did: 'invalidDid',
  unsupported_method: 'methodNotSupported',
  unsupported_chain: 'notFound',
}

/**
 * Resolves DIDs as the HTTP(S) binding of W3C DID Resolution says: every account of a chain of the network is a
 * `did:pkh`, whether it was ever seen or not; its delegates are those of its `security` aggregate.
 */
export function didRoutes({ db }: CoreNodeContext) {
  async function securityOf(owner: string): Promise<unknown> {
    const row = await db
      .selectFrom('aggregates')
      .where('owner', '=', owner)
      .where('key', '=', 'security')
      .select('content')
      .executeTakeFirst()
    return row?.content ?? null
  }

  async function resolve(request: FastifyRequest<{ Params: { did: string } }>, reply: FastifyReply) {
    const type = chooseType(request.headers.accept)
    if (type === undefined) {
      const reason = `Accept: this document comes as ${[...documentTypes, resultType].join(', ')}`
      return refuse(reply, 'representationNotSupported', reason)
    }
    try {
      const { chain, address } = parseDid(request.params.did)
      const owner = addressKey(chain, address)
      const document = didDocument(address, chain, await securityOf(owner))
      const canonicalId = formatDid(chain, owner)
      reply.header('vary', 'accept').type(type)
      if (type !== resultType) return JSON.stringify(document)
      return JSON.stringify({
        didResolutionMetadata: { contentType: documentTypes[0] },
        didDocument: document,
        didDocumentMetadata: canonicalId === document.id ? {} : { canonicalId },
      })
    } catch (error) {
      if (error instanceof DidError) return refuse(reply, resolutionErrors[error.code], error.message)
      throw error
    }
  }

  return async (server: FastifyInstance): Promise<void> => {
    server.get('/api/v1/did/:did', resolve)
  }
}

function refuse(reply: FastifyReply, error: ResolutionError, message: string): string {
  reply.code(statusOfError[error]).type(resultType)
  return JSON.stringify({
    didResolutionMetadata: { error, message },
    didDocument: null,
    didDocumentMetadata: {},
  })
}

/** The first type of `Accept` that we have, most wanted first; undefined when there is none. */
function chooseType(accept = '*/*'): string | undefined {
  const wanted = accept
    .split(',')
    .map((entry) => {
      const [type = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase())
      const q = parameters.find((parameter) => parameter.startsWith('q='))
      return { type, weight: q === undefined ? 1 : Number(q.slice(2)), parameters }
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
  for (const { type, parameters } of wanted) {
    if (type === '*/*' || type === 'application/*') return documentTypes[0]
    // How clients of earlier drafts ask for the whole result.
    const isProfile =
      type === 'application/ld+json' && parameters.some((text) => text.includes('did-resolution'))
    if (type === resultType || isProfile) return resultType
    if (documentTypes.includes(type)) return type
  }
  return undefined
}
