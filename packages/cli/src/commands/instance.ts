import type { Command } from 'commander'
import type { Terminal } from '../terminal/terminal.ts'
import { backupCommands } from './instance-backup.ts'
import { confidentialCommands } from './instance-confidential.ts'
import { createCommand } from './instance-create.ts'
import { deleteCommand } from './instance-delete.ts'
import { listCommand } from './instance-list.ts'
import { migrateCommand } from './instance-migrate.ts'
import { operateCommands } from './instance-operate.ts'
import { logsCommand } from './program-logs.ts'

/** `aleph instance`: virtual machines with disks of their own. */
export function instanceCommand(root: Command, terminal: Terminal): void {
  const instance = root.command('instance').description('virtual machines with disks of their own')
  for (const add of [
    createCommand,
    listCommand,
    operateCommands,
    migrateCommand,
    backupCommands,
    logsCommand,
    confidentialCommands,
    deleteCommand,
  ]) {
    add(instance, terminal)
  }
}
