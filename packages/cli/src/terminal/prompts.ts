import { confirm, isCancel, password } from '@clack/prompts'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { Terminal } from './terminal.ts'

/** Whether somebody is there to answer. */
export function isInteractive(terminal: Terminal, json: boolean): boolean {
  return !json && terminal.stdin.isTTY === true && terminal.stderr.isTTY === true
}

export async function askSecret(terminal: Terminal, message: string): Promise<string> {
  const { stdin: input, stderr: output, signal } = terminal
  return answered<string>(await password({ message, input, output, signal, validate: refuseEmpty }))
}

export async function askConfirmation(terminal: Terminal, message: string): Promise<void> {
  const { stdin: input, stderr: output, signal } = terminal
  if (!answered<boolean>(await confirm({ message, input, output, signal }))) throw cancelled()
}

function refuseEmpty(value: string | undefined): string | undefined {
  return value ? undefined : 'Please type something.'
}

function answered<T>(answer: T | symbol): T {
  if (isCancel(answer)) throw cancelled()
  return answer as T
}

function cancelled(): CliError {
  return new CliError('cancelled', 'Cancelled.', { exitCode: exitCodes.cancelled })
}
