/** One element of a DER encoding. */
interface DerElement {
  tag: number
  content: Buffer
}

const sequence = 0x30
const objectId = 0x06
const octetString = 0x04
/** `[3]` of a certificate's body. */
const extensionsTag = 0xa3
const maxElements = 256

/**
 * The values of a certificate's extensions, by object identifier in dotted form.
 *
 * @throws RangeError when the bytes are no DER
 */
export function readExtensions(certificate: Uint8Array): Map<string, Buffer> {
  const [outer] = readElements(Buffer.from(certificate))
  const [body] = readElements(outer?.content ?? Buffer.alloc(0))
  const wrapped = readElements(body?.content ?? Buffer.alloc(0)).find(({ tag }) => tag === extensionsTag)
  const [list] = readElements(wrapped?.content ?? Buffer.alloc(0))
  const found = new Map<string, Buffer>()
  for (const { tag, content } of readElements(list?.content ?? Buffer.alloc(0))) {
    if (tag !== sequence) continue
    const parts = readElements(content)
    const name = parts.find((part) => part.tag === objectId)
    const value = parts.findLast((part) => part.tag === octetString)
    if (name && value) found.set(readObjectId(name.content), value.content)
  }
  return found
}

/** The elements that stand one after another in these bytes. */
export function readElements(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = []
  for (let at = 0; at < bytes.length; ) {
    if (elements.length === maxElements) throw new RangeError(`more than ${maxElements} elements`)
    const tag = bytes.readUInt8(at)
    const short = bytes.readUInt8(at + 1)
    const lengthBytes = short < 0x80 ? 0 : short & 0x7f
    if (short === 0x80 || lengthBytes > 4) throw new RangeError('a length that DER does not have')
    const length = lengthBytes === 0 ? short : bytes.readUIntBE(at + 2, lengthBytes)
    const start = at + 2 + lengthBytes
    if (start + length > bytes.length) throw new RangeError('an element that ends before its length')
    elements.push({ tag, content: bytes.subarray(start, start + length) })
    at = start + length
  }
  return elements
}

function readObjectId(content: Buffer): string {
  const numbers: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    if (numbers.length === 0)
      numbers.push(Math.min(2, Math.floor(value / 40)), value - 40 * Math.min(2, Math.floor(value / 40)))
    else numbers.push(value)
    value = 0
  }
  return numbers.join('.')
}
