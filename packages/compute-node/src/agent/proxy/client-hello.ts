/**
 * What a TLS connection says at its beginning: whom it is for, nothing (`name` is null), not enough bytes yet, or
 * something that is no TLS.
 */
export type ClientHello =
  | { kind: 'hello'; name: string | null }
  | { kind: 'incomplete' }
  | { kind: 'invalid' }

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const HOST_NAME = 0
const RECORD_HEADER = 5
const MAX_RECORD = 2 ** 14
const HELLO_HEADER = 4
/** Version and random. */
const HELLO_FIXED = 34

const invalid: ClientHello = { kind: 'invalid' }

/** Reads the server name (RFC 6066 §3) from the first bytes of a connection, without deciphering anything. */
export function readClientHello(bytes: Buffer): ClientHello {
  const message = handshake(bytes)
  if (message === 'incomplete') return { kind: 'incomplete' }
  if (message === 'invalid') return invalid
  try {
    return { kind: 'hello', name: serverName(new Reader(message)) }
  } catch (error) {
    if (error instanceof RangeError) return invalid
    throw error
  }
}

/** The first handshake message, which may come in several records. */
function handshake(bytes: Buffer): Buffer | 'incomplete' | 'invalid' {
  const parts: Buffer[] = []
  for (let offset = 0; ; ) {
    if (offset < bytes.length && bytes[offset] !== HANDSHAKE) return 'invalid'
    if (offset + 1 < bytes.length && bytes[offset + 1] !== 3) return 'invalid'
    if (offset + RECORD_HEADER > bytes.length) return 'incomplete'
    const length = bytes.readUInt16BE(offset + 3)
    if (length === 0 || length > MAX_RECORD) return 'invalid'
    const start = offset + RECORD_HEADER
    parts.push(bytes.subarray(start, start + length))
    const message = Buffer.concat(parts)
    if (message.length > 0 && message[0] !== CLIENT_HELLO) return 'invalid'
    if (message.length >= HELLO_HEADER) {
      const end = HELLO_HEADER + message.readUIntBE(1, 3)
      if (message.length >= end) return message.subarray(HELLO_HEADER, end)
    }
    offset = start + length
  }
}

function serverName(hello: Reader): string | null {
  hello.take(HELLO_FIXED)
  hello.block(1) // session id
  hello.block(2) // cipher suites
  hello.block(1) // compression methods
  if (hello.isDone) return null
  const extensions = new Reader(hello.block(2))
  while (!extensions.isDone) {
    const type = extensions.number(2)
    const body = new Reader(extensions.block(2))
    if (type !== SERVER_NAME) continue
    const names = new Reader(body.block(2))
    while (!names.isDone) {
      const kind = names.number(1)
      const name = names.block(2)
      if (kind === HOST_NAME) return name.toString('latin1').toLowerCase()
    }
  }
  return null
}

/** Takes a buffer apart from its beginning; what is not there is a RangeError. */
class Reader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isDone(): boolean {
    return this.#offset >= this.#bytes.length
  }

  take(count: number): Buffer {
    const end = this.#offset + count
    if (end > this.#bytes.length) throw new RangeError('the message is shorter than it says')
    const taken = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return taken
  }

  number(bytes: 1 | 2): number {
    return this.take(bytes).readUIntBE(0, bytes)
  }

  /** Bytes after their number, which is so many bytes long. */
  block(lengthBytes: 1 | 2): Buffer {
    return this.take(this.number(lengthBytes))
  }
}
