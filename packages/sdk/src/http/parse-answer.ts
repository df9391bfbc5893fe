import type { z } from 'zod'
import { AlephError } from '../errors.ts'
import type { JsonAnswer } from './request.ts'

/** Checks that a node's answer has the shape the protocol promises, naming the first field that has not. */
export function parseAnswer<S extends z.ZodType>(schema: S, answer: JsonAnswer): z.infer<S> {
  const result = schema.safeParse(answer.body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue?.path.join('.') || 'the body'
  throw new AlephError('bad_response', `${answer.url}: unexpected answer at ${where}: ${issue?.message}`, {
    hint: 'Check that the URL is an Aleph node of a supported version.',
  })
}
