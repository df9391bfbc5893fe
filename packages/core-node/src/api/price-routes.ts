import {
  apiRoutes,
  type CostInput,
  type CostRow,
  computeCost,
  type PaymentType,
  ProtocolError,
  parseEstimate,
  paymentTypeOf,
  totalCost,
} from '@aleph-ts/protocol'
import type { FastifyError, FastifyInstance } from 'fastify'
import { loadTariff } from '../pipeline/price.ts'
import { type FileReference, referenceKey, resolveReferences } from '../state/files.ts'
import { ApiError } from './api-error.ts'
import { isNotJson } from './describe-error.ts'
import { validHash } from './message-routes.ts'
import { findStatus } from './message-status.ts'
import { serve } from './serve.ts'
import type { ApiContext } from './server.ts'

const pricedTypes = ['STORE', 'PROGRAM', 'INSTANCE', 'V-PROGRAM']

/** What messages cost (protocol 03 §11.1 to §11.3). */
export function priceRoutes(context: ApiContext) {
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

  /** Billing goes by what a file that is gone would cost now; undefined for everything else. */
  async function priceOfGoneFile(hash: string, status: 'forgotten' | 'removed') {
    const { rows } = await pool.query<{ owner: string; payment_type: PaymentType | null; size: bigint }>(
      `select owner, payment_type, size from ${status}_messages
       where item_hash = $1 and type = 'STORE' and size is not null`,
      [hash],
    )
    const [file] = rows
    if (!file) return undefined
    const paymentType = file.payment_type ?? 'hold'
    const input = {
      type: 'STORE',
      content: { address: file.owner, payment: { type: paymentType } },
      itemHash: hash,
      storedFileSize: Number(file.size),
      fileSize: () => undefined,
      ...(await loadTariff(pool, profile)),
    } as unknown as CostInput
    return describe(computeCost(input), file.owner, paymentType)
  }

  return async (server: FastifyInstance): Promise<void> => {
    serve(server, apiRoutes.getPrice, async ({ params, query }) => {
      const hash = validHash(params.item_hash)
      const { status } = await findStatus(pool, hash)
      if (status === 'pending') throw new ApiError(409, 'pending', `Message still pending: ${hash}`)
      if (status === 'rejected') throw new ApiError(404, 'rejected', `This message was rejected: ${hash}`)
      if (status === 'forgotten' || status === 'removed') {
        const price = await priceOfGoneFile(hash, status)
        if (price) return price
        throw new ApiError(410, status, `This message has been ${status}: ${hash}`)
      }
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
      const sizes = query.includeSize ? await sizesOf(hash, rows) : undefined
      return describe(rows as unknown as CostRow[], message.owner, paymentType, sizes)
    })

    serve(server, apiRoutes.estimatePrice, ({ body }) => asUserError(() => estimate(body.message)))

    serve(
      server,
      apiRoutes.estimateInstancePrice,
      ({ body }) => asUserError(() => estimate({ type: 'INSTANCE', item_content: JSON.stringify(body) })),
      { errorHandler: refuseWhatIsNotJson },
    )

    for (const route of [apiRoutes.recalculatePrices, apiRoutes.recalculatePrice]) {
      serve(server, route, ({ request, reply }) => {
        if (request.headers['x-auth-token'] === undefined) {
          reply.header('www-authenticate', 'Bearer')
          throw new ApiError(401, 'token_required', 'Missing X-Auth-Token header', {
            path: 'header.x-auth-token',
          })
        }
        throw new ApiError(501, 'not_served', 'Prices follow from the messages alone; nothing to recalculate')
      })
    }
  }

  /** Sizes of the files behind cost rows, bytes, by the reference of the row or by the message itself. */
  async function sizesOf(hash: string, rows: { ref: string | null }[]): Promise<Map<string, number>> {
    const refs = [hash, ...rows.flatMap((row) => row.ref ?? [])]
    const found = await db
      .selectFrom('file_pins as p')
      .innerJoin('files as f', 'f.hash', 'p.file_hash')
      .where('p.item_hash', 'in', refs)
      .where('p.type', '=', 'message')
      .select(['p.item_hash', 'f.size'])
      .execute()
    const sizes = new Map(found.map((row) => [row.item_hash!, Number(row.size)]))
    const own = sizes.get(hash)
    if (own !== undefined) sizes.set('', own)
    return sizes
  }
}

/** Here it is a broken request, and not a message that breaks the format. */
function refuseWhatIsNotJson(error: FastifyError): never {
  throw isNotJson(error) ? new ApiError(400, 'not_json', error.message, { path: 'body' }) : error
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

const mib = 1024 * 1024

function describe(
  rows: CostRow[],
  owner: string,
  paymentType: ReturnType<typeof paymentTypeOf>,
  sizes?: Map<string, number>,
) {
  const cost = totalCost(rows, paymentType)
  return {
    required_tokens: Number(cost),
    payment_type: paymentType,
    cost,
    charged_address: owner,
    detail: rows.map(({ type, name, cost_hold, cost_stream, cost_credit, ...row }) => {
      const bytes = sizes?.get((row as { ref?: string | null }).ref ?? '')
      const size_mib = bytes === undefined ? null : bytes / mib
      return { type, name, cost_hold, cost_stream, cost_credit, size_mib }
    }),
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
