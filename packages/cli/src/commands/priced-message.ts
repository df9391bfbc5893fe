import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { parseJson } from '../terminal/input.ts'

export const pricedTypes = ['STORE', 'PROGRAM', 'INSTANCE', 'V-PROGRAM'] as const
export type PricedType = (typeof pricedTypes)[number]

/** What a price is asked for: `text` is the JSON of the content. */
export interface EstimateMessage {
  type: PricedType
  text: string
}

/** Makes what a user gave, a message or only its content, into what can be priced. */
export function readPricedMessage(
  given: unknown,
  options: { type?: PricedType; size?: Map<string, number> },
): EstimateMessage {
  const message = isObject(given) && isObject(given.message) ? given.message : given
  if (!isObject(message)) throw unusable('it is no object')
  const isWhole = 'item_content' in message || isObject(message.content)
  const content = isWhole ? contentOf(message) : message
  const type = options.type ?? (isWhole ? message.type : guessType(content))
  if (!isPricedType(type)) throw unusable(`only ${pricedTypes.join(', ')} cost something; give the --type`)
  const address = content.address ?? message.sender ?? nobody
  const complete = withSizes({ ...content, address }, type, options.size ?? new Map())
  return { type, text: JSON.stringify(complete) }
}

const nobody = '0x0000000000000000000000000000000000000000'

function contentOf({ item_content: text, content }: Record<string, unknown>): Record<string, unknown> {
  const value = typeof text === 'string' ? parseJson(text, 'the content of a message') : content
  if (isObject(value)) return value
  throw unusable('its content is kept elsewhere; give the content')
}

function guessType(content: Record<string, unknown>): PricedType | undefined {
  if ('rootfs' in content) return 'INSTANCE'
  if ('code' in content) return 'PROGRAM'
  if ('workload' in content) return 'V-PROGRAM'
  return 'item_hash' in content ? 'STORE' : undefined
}

interface NamedFile {
  ref: string
  part: Record<string, unknown>
  /** How the name of its row in the bill begins. */
  row: string
}

/** The files a content names whose size is part of its price (protocol 02 §13.6). */
export function namedFiles(type: PricedType, content: Record<string, unknown>): NamedFile[] {
  if (type === 'STORE') return [{ ref: String(content.item_hash), part: content, row: 'STORAGE' }]
  const volumes = Array.isArray(content.volumes) ? content.volumes : []
  const parts = [
    ['EXECUTION_PROGRAM_VOLUME_CODE', content.code],
    ['EXECUTION_PROGRAM_VOLUME_RUNTIME', content.runtime],
    ['EXECUTION_PROGRAM_VOLUME_DATA', content.data],
    ...volumes.map((volume, index) => [`#${index}:`, volume]),
  ] as [string, unknown][]
  return parts.flatMap(([row, part]) =>
    type !== 'V-PROGRAM' && isObject(part) && typeof part.ref === 'string'
      ? [{ ref: part.ref, part, row }]
      : [],
  )
}

/** Sizes that the user told become part of the message, as a client would put them there. */
function withSizes(
  content: Record<string, unknown>,
  type: PricedType,
  sizes: Map<string, number>,
): Record<string, unknown> {
  const copy = structuredClone(content)
  for (const { ref, part } of namedFiles(type, copy)) {
    const size = sizes.get(ref)
    if (size === undefined) continue
    // Production nodes take whole MiB for anything but a STORE.
    part.estimated_size_mib = type === 'STORE' ? size / 1024 ** 2 : Math.ceil(size / 1024 ** 2)
  }
  return copy
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPricedType(type: unknown): type is PricedType {
  return pricedTypes.includes(type as PricedType)
}

function unusable(why: string): CliError {
  return new CliError('bad_json', `Cannot price this: ${why}`, {
    exitCode: exitCodes.usage,
    hint: 'Give a STORE, PROGRAM, INSTANCE or V-PROGRAM message, or its content with --type.',
  })
}
