import { readFile } from 'node:fs/promises'

const runner = new URL('../runtimes/legacy/serve.py', import.meta.url)

/** What a runtime image of the network's first nodes has, where ours have `/aleph/runtime.json` (protocol 05 §6.5). */
export const legacyRuntimeMarker = 'root/init1.py'

/**
 * What starts an ASGI application in such a runtime; its own init is not run. The entrypoint follows. Programs that
 * are commands need nothing.
 */
export async function legacyAsgiCommand(): Promise<string[]> {
  return ['/usr/bin/python3', '-c', await readFile(runner, 'utf8')]
}
