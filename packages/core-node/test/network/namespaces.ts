import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Runs `ip` with words. */
export async function ip(command: string): Promise<void> {
  await run('ip', command.split(' '))
}

/** Why there can be no network namespaces here; null when there can. */
export async function whyNoNamespaces(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'not root'
  const probe = `aleph-probe-${process.pid}`
  try {
    await ip(`netns add ${probe}`)
    await ip(`netns delete ${probe}`)
    return null
  } catch (error) {
    return `no network namespaces: ${(error as Error).message.trim()}`
  }
}
