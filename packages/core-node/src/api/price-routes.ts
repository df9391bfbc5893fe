import {
  type CostInput,
  type CostRow,
  computeCost,
  isItemHash,
  ProtocolError,
  parseEstimate,
  paymentTypeOf,
  totalCost,
} from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import type { CoreNodeContext } from '../context.ts'
import { loadTariff } from '../pipeline/price.ts'
import { type FileReference, referenceKey, resolveReferences } from '../state/files.ts'
import { ApiError } from './api-error.ts'
import { findStatus } from './message-status.ts'

const pricedTypes = ['STORE', 'PROGRAM', 'INSTANCE', 'V-PROGRAM']

/** What messages cost (protocol 03 §11.1 to §11.3). */
export function priceRoutes(context: CoreNodeContext) {
  const { db, pool, profile } = context

  async function estimate(message: unknown) {
    const { type, content, itemHash } = parseEstimate(message)
    const references = fileReferences(content)
    const files = await resolveReferences(pool, references)
    const stored = type === 'STORE' ? (content as { item_hash: string }).item_hash : undefined
    const file =
      stored && (await db.selectFrom('files').select('size').where('hash', '=', stored).executeTakeFirst())
    const input = {
      type,
      content: withKnownSizes(content, files),
      itemHash,
      storedFileSize: file ? Number(file.size) : undefined,
      fileSize: (reference: FileReference) => files.get(referenceKey(reference))?.size,
      ...(await loadTariff(pool, profile)),
    } as CostInput
    return describe(computeCost(input), content.address ?? '', paymentTypeOf(input.type, content))
  }

  return async (server: FastifyInstance): Promise<void> => {
    server.get<{ Params: { item_hash: string } }>('/api/v0/price/:item_hash', async (request) => {
      const hash = request.params.item_hash
      if (!isItemHash(hash))
        throw new ApiError(400, 'invalid_hash', `Invalid message hash: ${hash.slice(0, 100)}`)
      const { status } = await findStatus(pool, hash)
      if (status === 'pending') throw new ApiError(409, 'pending', `Message still pending: ${hash}`)
      if (status === 'rejected') throw new ApiError(404, 'rejected', `This message was rejected: ${hash}`)
      if (status === 'forgotten')
        throw new ApiError(410, 'forgotten', `This message has been forgotten: ${hash}`)
      const message = await db
        .selectFrom('messages')
        .select(['type', 'owner', 'payment_type'])
        .where('item_hash', '=', hash)
        .executeTakeFirst()
      if (!message || !pricedTypes.includes(message.type)) {
        throw new ApiError(400, 'not_priced', `Message is not an executable or store message: ${hash}`)
      }
      const rows = await db.selectFrom('account_costs').selectAll().where('item_hash', '=', hash).execute()
      const paymentType = paymentTypeOf(message.type as CostInput['type'], {
        payment: message.payment_type ? { type: message.payment_type } : null,
      })
      return describe(rows as unknown as CostRow[], message.owner, paymentType)
    })

    server.post('/api/v0/price/estimate', async (request) => {
      const { message } = (request.body ?? {}) as { message?: unknown }
      return asUserError(() => estimate(message))
    })

    server.post('/api/v0/price/estimate/instance', async (request) =>
      asUserError(() => estimate({ type: 'INSTANCE', item_content: JSON.stringify(request.body) })),
    )
  }
}

/** What pricing refuses is the caller's to mend. */
async function asUserError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const prefix = error.code === 'INVALID_FORMAT' ? 'InvalidMessageFormat: ' : ''
    const { errorCode: error_code, details } = error
    throw new ApiError(422, error.code, prefix + error.message, { error_code, details })
  }
}

function describe(rows: CostRow[], owner: string, paymentType: ReturnType<typeof paymentTypeOf>) {
  const cost = totalCost(rows, paymentType)
  return {
    required_tokens: Number(cost),
    payment_type: paymentType,
    cost,
    charged_address: owner,
    detail: rows.map(({ type, name, cost_hold, cost_stream, cost_credit }) => ({
      type,
      name,
      cost_hold,
      cost_stream,
      cost_credit,
      size_mib: null,
    })),
  }
}

interface Referring {
  ref?: unknown
  use_latest?: boolean
  estimated_size_mib?: number
}

/** Parts of a content that name files. */
function parts(content: Record<string, unknown>): Referring[] {
  const volumes = Array.isArray(content.volumes) ? content.volumes : []
  return [content.code, content.runtime, content.data, ...volumes].filter(
    (part): part is Referring => typeof part === 'object' && part !== null && typeof part.ref === 'string',
  )
}

function fileReferences(content: Record<string, unknown>): FileReference[] {
  return parts(content).map((part) => ({ ref: part.ref as string, use_latest: part.use_latest ?? false }))
}

/** A file that is known has its real size, whatever the estimate says. */
function withKnownSizes<T extends Record<string, unknown>>(content: T, files: Map<string, unknown>): T {
  for (const part of parts(content)) {
    const key = referenceKey({ ref: part.ref as string, use_latest: part.use_latest ?? false })
    if (files.has(key)) delete part.estimated_size_mib
  }
  return content
}
