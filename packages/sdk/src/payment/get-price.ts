import { itemHash, type MessageType } from '@aleph-ts/protocol'
import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { type JsonAnswer, requestJson } from '../http/request.ts'

/** What a resource costs. `hold`: ALEPH to hold; `superfluid` and `credit`: per second (protocol 03 §11). */
export interface Price {
  /** Decimal text. */
  cost: string
  paymentType: string
  chargedAddress: string | null
  details: { type: string; name: string; hold: string; stream: string; credit: string }[]
}

const priceSchema = z.looseObject({
  cost: z.string(),
  payment_type: z.string(),
  charged_address: z.string().nullish(),
  detail: z
    .array(
      z.looseObject({
        type: z.string(),
        name: z.string(),
        cost_hold: z.string(),
        cost_stream: z.string(),
        cost_credit: z.string().nullish(),
      }),
    )
    .nullish(),
})

/** What a message that is on the network costs its owner. */
export async function getPrice(
  context: ClientContext,
  itemHash: string,
  options: { signal?: AbortSignal } = {},
): Promise<Price> {
  return priceOf(await requestJson(context.core, `/api/v0/price/${encodeURIComponent(itemHash)}`, options))
}

/**
 * What a message would cost, before it is sent. Needs no signature; in `text`, the JSON of the content, files that are
 * not on the network yet may carry `estimated_size_mib` (protocol 03 §11.2).
 */
export async function estimatePrice(
  context: ClientContext,
  { type, text }: { type: MessageType; text: string },
  options: { signal?: AbortSignal } = {},
): Promise<Price> {
  const message = { type, item_type: 'inline', item_hash: itemHash(text), item_content: text }
  const answer = await requestJson(context.core, '/api/v0/price/estimate', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message }),
    idempotent: true,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  return priceOf(answer)
}

function priceOf(answer: JsonAnswer): Price {
  const body = parseAnswer(priceSchema, answer)
  return {
    cost: body.cost,
    paymentType: body.payment_type,
    chargedAddress: body.charged_address ?? null,
    details: (body.detail ?? []).map((row) => ({
      type: row.type,
      name: row.name,
      hold: row.cost_hold,
      stream: row.cost_stream,
      credit: row.cost_credit ?? '0',
    })),
  }
}
