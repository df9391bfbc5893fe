import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './run-command.ts'

const agentFolder = fileURLToPath(new URL('../../agent/', import.meta.url))

/** Compiles the guest agent to one static binary and returns its bytes. */
export async function buildAgent(workFolder: string): Promise<Buffer> {
  const sources = (await readdir(agentFolder)).filter((name) => name.endsWith('.c')).sort()
  const output = join(workFolder, 'agent')
  const flags = ['-std=gnu17', '-static', '-Os', '-s', '-Wall', '-Wextra', '-Werror']
  const linking = ['-ffunction-sections', '-Wl,--gc-sections', '-Wl,--build-id=none']
  await runCommand('gcc', [...flags, ...linking, '-o', output, ...sources], { cwd: agentFolder })
  return readFile(output)
}
