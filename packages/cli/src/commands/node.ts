import type { Command } from 'commander'
import type { Terminal } from '../terminal/terminal.ts'
import { changeCommands } from './node-change.ts'
import { doctorCommand } from './node-doctor.ts'
import { drainCommand } from './node-drain.ts'
import { nodeListCommand } from './node-list.ts'
import { registerCommands } from './node-register.ts'
import { scoreCommand } from './node-score.ts'

/** `aleph node`: for those who run nodes, and those who stake on them. */
export function nodeCommand(root: Command, terminal: Terminal): void {
  const node = root.command('node').description('run nodes of the network, and stake on them')
  for (const add of [
    registerCommands,
    changeCommands,
    drainCommand,
    nodeListCommand,
    doctorCommand,
    scoreCommand,
  ])
    add(node, terminal)
}
