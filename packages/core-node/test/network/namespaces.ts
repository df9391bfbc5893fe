import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ownPrefix } from './owned-names.ts'

const run = promisify(execFile)

/** Runs `ip` with words, and returns what it prints. */
export async function ip(command: string): Promise<string> {
  const { stdout } = await run('ip', command.split(' '))
  return stdout
}

/** Why there can be no network namespaces here; null when there can. */
export async function whyNoNamespaces(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'not root'
  const probe = `${ownPrefix}-probe`
  try {
    await ip(`netns add ${probe}`)
    await ip(`netns delete ${probe}`)
    return null
  } catch (error) {
    return `no network namespaces: ${(error as Error).message.trim()}`
  }
}
