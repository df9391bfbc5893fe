/** How long a value stays; seven days (protocol 05 §6.9). */
const LIFE_MS = 7 * 24 * 3_600_000
const MAX_VALUE_BYTES = 1024 * 1024
const MAX_BYTES_PER_PROGRAM = 16 * 1024 * 1024
const MAX_PROGRAMS = 1_000

interface Entry {
  value: Buffer
  expiresAt: number
}

/** Small values that executions of one program share on this node, in memory; the oldest give way. */
export class ProgramCache {
  readonly #programs = new Map<string, Map<string, Entry>>()

  get(program: string, key: string): Buffer | undefined {
    const entries = this.#programs.get(program)
    const entry = entries?.get(key)
    if (!entry) return undefined
    if (entry.expiresAt > Date.now()) return entry.value
    entries?.delete(key)
    return undefined
  }

  /** False when the value is too large. */
  set(program: string, key: string, value: Buffer): boolean {
    if (value.length > MAX_VALUE_BYTES) return false
    const entries = this.#programs.get(program) ?? new Map<string, Entry>()
    this.#programs.delete(program)
    this.#programs.set(program, entries)
    entries.delete(key)
    entries.set(key, { value, expiresAt: Date.now() + LIFE_MS })
    let total = 0
    for (const [name, entry] of entries) total += name.length + entry.value.length
    for (const [oldest, entry] of entries) {
      if (total <= MAX_BYTES_PER_PROGRAM) break
      total -= oldest.length + entry.value.length
      entries.delete(oldest)
    }
    if (this.#programs.size > MAX_PROGRAMS)
      this.#programs.delete(this.#programs.keys().next().value as string)
    return true
  }

  /** How many were deleted: 0 or 1. */
  delete(program: string, key: string): number {
    return this.#programs.get(program)?.delete(key) ? 1 : 0
  }

  /** Keys that fit a pattern of `*` and `?`. */
  keys(program: string, pattern: string): string[] {
    const expression = [...pattern].map((letter) =>
      letter === '*' ? '.*' : letter === '?' ? '.' : letter.replace(/[\^-]/, '\\$&'),
    )
    const fits = new RegExp(`^${expression.join('')}$`, 's')
    return [...(this.#programs.get(program)?.keys() ?? [])].filter((key) => fits.test(key))
  }

  /** Forgets everything of a program. */
  forget(program: string): void {
    this.#programs.delete(program)
  }
}
