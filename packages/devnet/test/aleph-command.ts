import { execFile } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const script = join(import.meta.dirname, '../../cli/bin/aleph.mjs')
const run = promisify(execFile)

/** Runs `aleph …` as a user would, pointed at the network of a data dir. */
export function aleph(dataDir: string, args: string[]): Promise<{ stdout: string; stderr: string }> {
  const env = {
    ...process.env,
    ALEPH_NETWORK: join(dataDir, 'network.json'),
    ALEPH_HOME: join(dataDir, 'aleph-home'),
  }
  return run(process.execPath, [script, ...args], { env })
}
