import { z } from 'zod'
import { apiFailureSchema } from './api-failure.ts'
import { type ApiRoute, type RawContent, snakeCase } from './route.ts'

type Json = Record<string, unknown>

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  openapi: string
  info: { title: string; version: string; description: string }
  paths: Record<string, Record<string, OpenApiOperation>>
  components: Json
}

export interface OpenApiOperation {
  operationId: string
  tags: string[]
  summary: string
  description?: string
  parameters: { name: string; in: 'path' | 'query'; required: boolean; schema: Json; description?: string }[]
  requestBody?: Json
  responses: Record<string, Json>
}

const usualStatuses: Record<number, string> = {
  400: 'The path is not one of this route.',
  404: 'There is nothing of that name.',
  422: 'The query or the body breaks its rules; `path` and `details` name the parts.',
  429: 'Too many requests; `Retry-After` says when.',
  431: 'The path, the query and the headers together are too long.',
  500: 'A fault of the node.',
  503: 'The node cannot answer now; try again.',
}

/** Describes routes as OpenAPI 3.1, schemas as JSON Schema. */
export function openApiDocument(
  routes: Readonly<Record<string, ApiRoute>>,
  version: string,
): OpenApiDocument {
  const paths: OpenApiDocument['paths'] = {}
  for (const [name, route] of Object.entries(routes)) {
    for (const [index, path] of [route.path, ...(route.aliases ?? [])].entries()) {
      const operation = describe(index === 0 ? name : `${name}_${index + 1}`, route, path)
      paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation }
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Aleph core node',
      version,
      description: 'Messages, posts, aggregates, files, accounts, prices and placement of an Aleph network.',
    },
    paths,
    components: { schemas: { Failure: schemaOf(apiFailureSchema, 'output') } },
  }
}

function describe(operationId: string, route: ApiRoute, path: string): OpenApiOperation {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name: name!,
    in: 'path' as const,
    required: true,
    schema: { type: 'string' },
  }))
  const failures = Object.entries({ ...usualStatuses, ...route.statuses })
  const responses: Record<string, Json> = {
    200: { description: route.summary, content: contentOf(route.answer, 'output', route.example) },
  }
  for (const [status, description] of failures) {
    const content = { 'application/json': { schema: { $ref: '#/components/schemas/Failure' } } }
    responses[status] =
      Number(status) >= 400
        ? { description, content }
        : {
            description,
            ...(Number(status) >= 200 &&
              Number(status) < 300 && { content: contentOf(route.answer, 'output') }),
          }
  }
  return {
    operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description && { description: route.description }),
    parameters: [...inPath, ...queryParameters(route)],
    ...(route.body && { requestBody: { required: true, content: contentOf(route.body, 'input') } }),
    responses,
  }
}

function queryParameters(route: ApiRoute): OpenApiOperation['parameters'] {
  if (!route.query) return []
  const { properties = {} } = schemaOf(route.query, 'input') as { properties?: Record<string, Json> }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name: route.snakeCaseQuery ? snakeCase(name) : name,
    in: 'query',
    required: false,
    schema,
    ...(typeof description === 'string' && { description }),
  }))
}

function contentOf(content: z.ZodType | RawContent, io: 'input' | 'output', example?: unknown): Json {
  if ('raw' in content)
    return {
      [content.raw]: { schema: { type: 'string', format: 'binary', description: content.description } },
    }
  return { 'application/json': { schema: schemaOf(content, io), ...(example !== undefined && { example }) } }
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return json
}
