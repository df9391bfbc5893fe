import type { Readable, Writable } from 'node:stream'

/** Everything of the process a command may touch, so that tests can give it another. */
export interface Terminal {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  stdin: Readable & { isTTY?: boolean }
  stdout: Writable & { isTTY?: boolean; columns?: number }
  stderr: Writable & { isTTY?: boolean }
  /** Aborts when the user interrupts. */
  signal: AbortSignal
}
