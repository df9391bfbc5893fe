import type { Command } from 'commander'
import type { Terminal } from '../terminal/terminal.ts'
import { callCommand } from './program-call.ts'
import { deleteCommand } from './program-delete.ts'
import { deployCommand } from './program-deploy.ts'
import { listCommand } from './program-list.ts'
import { logsCommand } from './program-logs.ts'

/** `aleph program`: functions on the network. */
export function programCommand(root: Command, terminal: Terminal): void {
  const program = root.command('program').description('functions that run on the network')
  for (const add of [deployCommand, callCommand, listCommand, logsCommand, deleteCommand]) {
    add(program, terminal)
  }
}
