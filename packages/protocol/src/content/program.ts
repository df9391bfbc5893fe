import { z } from 'zod'
import { environmentSchema } from './environment.ts'
import { executableFields } from './executable.ts'
import { freeObject, itemHashText, laxBoolean, optional } from './scalars.ts'

export const encodings = ['plain', 'zip', 'squashfs'] as const
export type Encoding = (typeof encodings)[number]
const encoding = z.enum(encodings)

const path = z.string().max(4096)

const codeSchema = z
  .object({
    encoding,
    entrypoint: path,
    ref: itemHashText,
    interface: optional(z.enum(['asgi', 'binary'])),
    args: optional(z.array(path).max(256)),
    use_latest: laxBoolean.default(false),
  })
  .transform((code) => ({ ...code, interface: code.interface ?? interfaceOf(code.entrypoint) }))

/** Without an explicit interface `module:name` is an ASGI application, anything else a command. */
function interfaceOf(entrypoint: string): 'asgi' | 'binary' {
  return entrypoint.includes(':') ? 'asgi' : 'binary'
}

const runtimeSchema = z.object({
  ref: itemHashText,
  use_latest: laxBoolean.default(true),
  comment: z.string().max(4096),
})

const dataSchema = z.object({
  encoding,
  mount: path,
  ref: itemHashText,
  use_latest: laxBoolean.nullish().transform((value) => value ?? false),
})

const triggersSchema = z.strictObject({
  http: laxBoolean,
  message: optional(z.array(freeObject(32)).max(1024)),
  persistent: laxBoolean.nullish().transform((value) => value ?? false),
})

/** Content of a PROGRAM (protocol 01 §6.6). */
export const programSchema = z.strictObject({
  ...executableFields,
  type: z.literal('vm-function'),
  code: codeSchema,
  runtime: runtimeSchema,
  data: optional(dataSchema),
  export: optional(z.object({ encoding, mount: path })),
  on: triggersSchema,
  environment: environmentSchema,
})
export type ProgramContent = z.output<typeof programSchema>
