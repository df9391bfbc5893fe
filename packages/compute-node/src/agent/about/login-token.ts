import { randomBytes, timingSafeEqual } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'

/**
 * A secret for the operator alone, new at every start, in a file only the node's user may read
 * (protocol 05 §4.6): it opens the debug pages.
 */
export class LoginToken {
  readonly #token: Buffer

  private constructor(token: Buffer) {
    this.#token = token
  }

  static async create(path: string): Promise<LoginToken> {
    const token = randomBytes(32).toString('base64url')
    await rm(path, { force: true })
    await writeFile(path, token, { mode: 0o400, flag: 'wx' })
    return new LoginToken(Buffer.from(token))
  }

  matches(text: string | undefined): boolean {
    const given = Buffer.from(text ?? '')
    return given.length === this.#token.length && timingSafeEqual(given, this.#token)
  }

  /** Whether a Cookie header carries it. */
  isIn(cookieHeader: string | undefined): boolean {
    const cookies = (cookieHeader ?? '').split(';').map((cookie) => cookie.trim())
    return cookies.some((cookie) => cookie.startsWith('token=') && this.matches(cookie.slice(6)))
  }
}
