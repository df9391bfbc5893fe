import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

const factorSchema = z.looseObject({
  name: z.string(),
  /** Seconds; null: nothing was measured. */
  measured: z.number().nullable(),
  /** Seconds at which the factor is 0. */
  worst: z.number(),
  value: z.number(),
})

const explanationSchema = z.looseObject({
  hash: z.string(),
  score: z.number(),
  period: z.looseObject({ from: z.number(), to: z.number() }).nullable(),
  explained: z.boolean(),
  computed: z
    .looseObject({
      total_score: z.number(),
      performance: z.number(),
      version: z.number(),
      decentralization: z.number(),
    })
    .nullable(),
  observers: z.array(
    z.looseObject({
      observer: z.string(),
      total: z.number(),
      version: z.number(),
      factors: z.array(factorSchema),
    }),
  ),
})

/** Why a node has its score. All values are from 0 to 1; `explained`: the asked node comes to it by itself. */
export type ScoreExplanation = z.output<typeof explanationSchema>

/** Why a node has the score it has: what each observer found in the last period (protocol 06 §4.2). */
export async function explainScore(
  context: ClientContext,
  nodeHash: string,
  options: { signal?: AbortSignal } = {},
): Promise<ScoreExplanation> {
  const path = `/api/v1/nodes/${encodeURIComponent(nodeHash)}/score`
  return parseAnswer(explanationSchema, await requestJson(context.core, path, options))
}
