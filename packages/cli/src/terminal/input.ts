import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { Terminal } from './terminal.ts'

/** The text of a file; `-` is standard input. */
export async function readText(terminal: Terminal, path: string): Promise<string> {
  if (path === '-') return readAll(terminal.stdin)
  try {
    return await readFile(resolve(terminal.cwd, path), 'utf8')
  } catch (error) {
    throw new CliError('no_such_path', `Cannot read ${path}: ${reasonOf(error)}`, {
      exitCode: exitCodes.usage,
      hint: 'Check the path; - reads standard input.',
    })
  }
}

/** Parses what a user gave; `use` completes "Cannot use this as …". */
export function parseJson(text: string, use: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CliError(
      'bad_json',
      `Cannot use this as ${use}: it is not JSON (${(error as Error).message})`,
      {
        exitCode: exitCodes.usage,
      },
    )
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a folder'
  if (code === 'EACCES') return 'it may not be read'
  return message
}
