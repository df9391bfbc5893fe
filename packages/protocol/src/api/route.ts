import type { z } from 'zod'

/** What a route takes or gives that is not JSON. */
export interface RawContent {
  /** Media type. */
  raw: string
  description: string
}

/**
 * One route of the core node's API: the node validates by it, documents it and types its handler; clients type their
 * calls by it (protocol 03).
 */
export interface ApiRoute {
  method: 'GET' | 'POST'
  /** `{name}` stands for a parameter. */
  path: string
  /** The last parameter is all the rest of the path, with its slashes. */
  lastIsRest?: boolean
  /** Other paths of the same route. */
  aliases?: readonly string[]
  tag: string
  summary: string
  description?: string
  /** Parameters of the query, camelCase; the node takes their snake_case spelling as well. */
  query?: z.ZodObject
  /** The documented spelling of the query is snake_case. */
  snakeCaseQuery?: boolean
  body?: z.ZodType | RawContent
  answer: z.ZodType | RawContent
  /** Statuses besides 200 and what they say; 400, 404, 422, 429, 431, 500 and 503 need no mention where they are the usual. */
  statuses?: Readonly<Record<number, string>>
  /** An answer as it may look. */
  example?: unknown
}

/** Gives a route its precise type. */
export function defineRoute<const R extends ApiRoute>(route: R): R {
  return route
}

/** Names of the parameters in a path. */
export type PathParameters<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParameters<Rest>
  : never

/** The query as a handler reads it. */
export type QueryOf<R extends ApiRoute> = R['query'] extends z.ZodObject ? z.output<R['query']> : undefined
/** The body as a handler reads it. */
export type BodyOf<R extends ApiRoute> = R['body'] extends z.ZodType ? z.output<R['body']> : unknown
/** The answer as a client reads it. */
export type AnswerOf<R extends ApiRoute> = R['answer'] extends z.ZodType ? z.output<R['answer']> : unknown

/** A parameter's snake_case spelling. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
