import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { NetworkError } from './network-error.ts'

const timeoutMs = 30_000

/** Runs a tool of the host and returns what it printed. Throws NetworkError with the tool's own words. */
export async function runHostCommand(file: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(file, args, { stdio: 'pipe', timeout: timeoutMs })
  // A tool that refuses early does not read its input; its exit code says so.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  try {
    const [output, words, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ])
    if (code === 0) return output
    throw new NetworkError(
      `${file} ${args.join(' ')} failed: ${words.trim().slice(0, 2000) || `code ${code}`}`,
    )
  } catch (error) {
    if (error instanceof NetworkError) throw error
    throw new NetworkError(`${file} cannot be run: ${(error as Error).message}`, { cause: error })
  }
}
