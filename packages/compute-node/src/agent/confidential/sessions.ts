import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What the owner made for one launch of an instance, in base64 text: the session and the owner's key. */
export interface LaunchSession {
  session: string
  dhCertificate: string
}

const sessionName = 'vm_session.b64'
const certificateName = 'vm_godh.b64'

/** Launch sessions of confidential instances, one folder each; a session counts until its guest ends by itself. */
export class Sessions {
  readonly #dir: string
  readonly #known = new Set<string>()

  constructor(dir: string) {
    this.#dir = dir
  }

  async start(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.#dir)) {
      if (name.endsWith('.part')) await rm(join(this.#dir, name), { recursive: true, force: true })
      else this.#known.add(name)
    }
  }

  async save(hash: string, { session, dhCertificate }: LaunchSession): Promise<void> {
    await this.remove(hash)
    const part = join(this.#dir, `${hash}.part`)
    await mkdir(part, { recursive: true, mode: 0o700 })
    await writeFile(join(part, sessionName), session, { mode: 0o600 })
    await writeFile(join(part, certificateName), dhCertificate, { mode: 0o600 })
    await rename(part, join(this.#dir, hash))
    this.#known.add(hash)
  }

  /** Paths of the session's files; null when there is none. */
  find(hash: string): LaunchSession | null {
    if (!this.#known.has(hash)) return null
    const folder = join(this.#dir, hash)
    return { session: join(folder, sessionName), dhCertificate: join(folder, certificateName) }
  }

  /** From this call on there is none, however long the deletion takes. */
  async remove(hash: string): Promise<void> {
    this.#known.delete(hash)
    await rm(join(this.#dir, hash), { recursive: true, force: true })
  }
}
