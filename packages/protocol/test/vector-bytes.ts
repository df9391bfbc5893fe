/** Bytes as fixtures write them. */
export interface BytesInput {
  utf8?: string
  base64?: string
  repeat?: { hex?: string; utf8?: string; count: number }
}

export function bytesOf({ utf8, base64, repeat }: BytesInput): Uint8Array {
  if (utf8 !== undefined) return Buffer.from(utf8)
  if (base64 !== undefined) return Buffer.from(base64, 'base64')
  const { hex, utf8: text = '', count } = repeat!
  const unit = hex === undefined ? Buffer.from(text) : Buffer.from(hex, 'hex')
  return Buffer.alloc(unit.length * count, unit)
}
