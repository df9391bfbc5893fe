import { expect, it } from 'vitest'
import { pythonBytesLiteral } from './python-bytes.ts'

it.each([
  ['plain', "b'plain'"],
  ['a\n\t\r\\', "b'a\\n\\t\\r\\\\'"],
  ["it's", `b"it's"`],
  [`"it's"`, `b'"it\\'s"'`],
  ['\0\x7fé', "b'\\x00\\x7f\\xc3\\xa9'"],
])('bytes of %j are written as Python prints them', (text, literal) => {
  expect(pythonBytesLiteral(new TextEncoder().encode(text))).toBe(literal)
})
