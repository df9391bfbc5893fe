import { ReconciliationError } from './reconciliation-error.ts'

const initialBytes = 1024

/** Writes a frame front to back. */
export class ByteWriter {
  #bytes = new Uint8Array(initialBytes)
  #length = 0

  get length(): number {
    return this.#length
  }

  byte(value: number): void {
    this.#room(1)[this.#length++] = value
  }

  /** A whole number up to 2^53, seven bits a byte, the lowest first. */
  number(value: number): void {
    let rest = value
    while (rest >= 128) {
      this.byte((rest % 128) + 128)
      rest = Math.floor(rest / 128)
    }
    this.byte(rest)
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length).set(bytes, this.#length)
    this.#length += bytes.length
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #room(count: number): Uint8Array {
    if (this.#length + count > this.#bytes.length) {
      const larger = new Uint8Array(2 * (this.#length + count))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    return this.#bytes
  }
}

/** Reads a frame front to back; throws {@link ReconciliationError} where it ends too early. */
export class ByteReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  byte(): number {
    if (this.done) throw new ReconciliationError('a frame ends too early')
    return this.#bytes[this.#at++]!
  }

  /** @param largest what the number may be at most */
  number(largest: number): number {
    let [value, factor] = [0, 1]
    for (;;) {
      const byte = this.byte()
      value += (byte % 128) * factor
      factor *= 128
      if (value > largest || factor > 2 ** 56) throw new ReconciliationError('a number is too large')
      if (byte < 128) return value
    }
  }

  raw(count: number): Uint8Array {
    if (this.#bytes.length - this.#at < count) throw new ReconciliationError('a frame ends too early')
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }
}
