import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { sealedKeySchema } from './key-cipher.ts'
import { keyChains } from './private-key-text.ts'

const storedAccountSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  chain: z.enum(keyChains),
  address: z.string(),
  /** Encrypted with a passphrase … */
  sealed: sealedKeySchema.optional(),
  /** … or, when the user asked for it, as it is: 64 hexadecimal digits. */
  privateKey: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
})
export type StoredAccount = z.infer<typeof storedAccountSchema>

const configSchema = z.looseObject({ defaultAccount: z.string().optional() })

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

/** Keys of the user, one file each in `<home>/accounts`, readable by nobody else. */
export class AccountStore {
  readonly #folder: string
  readonly #configFile: string

  constructor(home: string) {
    this.#folder = join(home, 'accounts')
    this.#configFile = join(home, 'config.json')
  }

  /** Names of all accounts, in alphabetical order. */
  names(): string[] {
    if (!existsSync(this.#folder)) return []
    const files = readdirSync(this.#folder).filter((file) => file.endsWith('.json'))
    return files.map((file) => file.slice(0, -'.json'.length)).sort()
  }

  has(name: string): boolean {
    return existsSync(this.path(name))
  }

  /** Reads an account, refusing a file that others on this machine could read. */
  read(name: string): StoredAccount {
    const path = this.path(name)
    if (!existsSync(path)) {
      throw new CliError('unknown_account', `There is no account "${name}"`, {
        exitCode: exitCodes.notFound,
        hint: 'See "aleph account list", or make it with "aleph account create".',
      })
    }
    refuseOpenFile(path)
    const result = storedAccountSchema.safeParse(parseJson(path))
    if (result.success) return result.data
    throw new CliError('damaged_account', `${path} is damaged: ${result.error.issues[0]?.message}`, {
      hint: 'Restore it from a copy, or import the key again under another name.',
    })
  }

  /** Adds an account; the first one becomes the default. Never overwrites a key. */
  add(account: StoredAccount): void {
    const path = this.path(account.name)
    if (existsSync(path)) {
      throw new CliError('account_exists', `There already is an account "${account.name}"`, {
        exitCode: exitCodes.conflict,
        hint: 'Choose another name.',
      })
    }
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    chmodSync(this.#folder, 0o700)
    writeFileSync(path, `${JSON.stringify(account, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    if (this.defaultName() === undefined) this.setDefault(account.name)
  }

  defaultName(): string | undefined {
    if (!existsSync(this.#configFile)) return undefined
    const result = configSchema.safeParse(parseJson(this.#configFile))
    const name = result.success ? result.data.defaultAccount : undefined
    return name !== undefined && namePattern.test(name) && this.has(name) ? name : undefined
  }

  setDefault(name: string): void {
    this.read(name)
    const draft = `${this.#configFile}.${process.pid}`
    writeFileSync(draft, `${JSON.stringify({ defaultAccount: name }, null, 2)}\n`, { mode: 0o600 })
    renameSync(draft, this.#configFile)
  }

  /** The file of an account, whether it exists or not. */
  path(name: string): string {
    if (namePattern.test(name)) return join(this.#folder, `${name}.json`)
    throw new CliError('bad_account_name', `"${name}" cannot be the name of an account`, {
      exitCode: exitCodes.usage,
      hint: 'Use up to 64 letters, digits, - and _.',
    })
  }
}

function refuseOpenFile(path: string): void {
  const mode = statSync(path).mode & 0o777
  if (process.platform === 'win32' || (mode & 0o077) === 0) return
  throw new CliError(
    'key_file_open',
    `${path} can be read by others on this machine (mode ${mode.toString(8)})`,
    { exitCode: exitCodes.forbidden, hint: `Close it: chmod 600 ${path}` },
  )
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}
