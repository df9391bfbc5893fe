import { z } from 'zod'
import type { ClientContext } from '../client/client-context.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { requestJson } from '../http/request.ts'

const versionSchema = z.looseObject({ version: z.string() })

/** Version of the core node: the cheapest way to see whether one answers (protocol 03 §12.1). */
export async function getNodeVersion(
  context: ClientContext,
  options: { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<string> {
  return parseAnswer(versionSchema, await requestJson(context.core, '/api/v0/version', options)).version
}
