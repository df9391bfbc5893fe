import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { GuestError } from '../guest-error.ts'

const execute = promisify(execFile)

/** Runs a program and returns its standard output. Throws `image_build_failed` with the tail of its errors. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { cwd?: string; timeoutMs?: number } = {},
): Promise<string> {
  try {
    const { stdout } = await execute(command, args, {
      cwd: options.cwd,
      timeout: options.timeoutMs ?? 300_000,
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? ''}:/usr/bin:/usr/sbin:/bin:/sbin` },
    })
    return stdout
  } catch (cause) {
    const { stderr = '', message } = cause as { stderr?: string; message: string }
    const tail = stderr.trim().split('\n').slice(-8).join('\n')
    throw new GuestError('image_build_failed', `${command} failed: ${tail === '' ? message : tail}`, {
      cause,
    })
  }
}
