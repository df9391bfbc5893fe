import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SevKeys } from '@aleph-ts/sdk/confidential'
import { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'

const keyHex = z.string().regex(/^[0-9a-f]{32}$/)
const launchSchema = z.strictObject({
  version: z.literal(1),
  tek: keyHex,
  tik: keyHex,
  session: z.string(),
  godh: z.string(),
})

/** The keys of a launch, and what its node was given of them. */
export interface KeptLaunch extends SevKeys {
  session: string
  godh: string
}

/** Keys of confidential launches, one file per instance in `<home>/confidential`, readable by nobody else. */
export class LaunchKeyStore {
  readonly #folder: string

  constructor(home: string) {
    this.#folder = join(home, 'confidential')
  }

  /** In the place of what an earlier launch had. */
  save(hash: string, { tek, tik, session, godh }: KeptLaunch): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    chmodSync(this.#folder, 0o700)
    const text = { version: 1, tek: tek.toString('hex'), tik: tik.toString('hex'), session, godh }
    const path = this.#path(hash)
    writeFileSync(`${path}.part`, `${JSON.stringify(text, null, 2)}\n`, { mode: 0o600 })
    renameSync(`${path}.part`, path)
  }

  /** Null when there was none. */
  find(hash: string): KeptLaunch | null {
    const path = this.#path(hash)
    if (!existsSync(path)) return null
    const { tek, tik, session, godh } = parse(path)
    return { tek: Buffer.from(tek, 'hex'), tik: Buffer.from(tik, 'hex'), session, godh }
  }

  #path(hash: string): string {
    if (/^\w{40,100}$/.test(hash)) return join(this.#folder, `${hash}.json`)
    throw new CliError('invalid_hash', `"${hash}" is no item hash`, { exitCode: exitCodes.usage })
  }
}

function parse(path: string): z.output<typeof launchSchema> {
  try {
    return launchSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    throw new CliError('damaged_session', `${path} is damaged`, {
      hint: 'Make a new session: aleph instance confidential init-session HASH',
    })
  }
}
