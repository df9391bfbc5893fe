import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GuestError } from '../guest-error.ts'
import { runCommand } from './run-command.ts'

const agentFolder = fileURLToPath(new URL('../../agent/', import.meta.url))
const hostFolder = fileURLToPath(new URL('../../host/', import.meta.url))
const warnings = ['-std=gnu17', '-Wall', '-Wextra', '-Werror']

/** Compiles the guest agent to one static binary and returns its bytes. */
export async function buildAgent(workFolder: string): Promise<Buffer> {
  const sources = (await readdir(agentFolder)).filter((name) => name.endsWith('.c')).sort()
  const output = join(workFolder, 'agent')
  const flags = [...warnings, '-static', '-Os', '-s']
  const linking = ['-ffunction-sections', '-Wl,--gc-sections', '-Wl,--build-id=none']
  await runCommand('gcc', [...flags, ...linking, '-o', output, ...sources], { cwd: agentFolder })
  return readFile(output)
}

/** Measures this machine's time stamp counter, in kHz. */
export async function measureTscKhz(workFolder: string): Promise<number> {
  const output = join(workFolder, 'tsc-khz')
  await runCommand('gcc', [...warnings, '-O2', '-o', output, join(hostFolder, 'tsc-khz.c')])
  const khz = Number(await runCommand(output, []))
  if (!Number.isInteger(khz) || khz < 100_000)
    throw new GuestError('image_build_failed', `The time stamp counter cannot be measured (${khz} kHz)`)
  return khz
}
