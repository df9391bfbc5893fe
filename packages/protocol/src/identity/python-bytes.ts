const named: Record<number, string> = { 9: '\\t', 10: '\\n', 13: '\\r', 92: '\\\\' }

/** Bytes as Python prints them (`b'…'`): an old client signed that text instead of the bytes (protocol 01 §4.10). */
export function pythonBytesLiteral(bytes: Uint8Array): string {
  const quote = bytes.includes(0x27) && !bytes.includes(0x22) ? '"' : "'"
  const escaped = Array.from(bytes, (byte) => named[byte] ?? escapeByte(byte, quote))
  return `b${quote}${escaped.join('')}${quote}`
}

function escapeByte(byte: number, quote: string): string {
  if (byte < 0x20 || byte > 0x7e) return `\\x${byte.toString(16).padStart(2, '0')}`
  const character = String.fromCharCode(byte)
  return character === quote ? `\\${quote}` : character
}
