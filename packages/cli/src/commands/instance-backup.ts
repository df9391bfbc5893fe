import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ComputeNodeClient, InstanceBackup } from '@aleph-ts/sdk'
import { type Command, Option } from 'commander'
import { openRootDisk } from '../backup/root-disk.ts'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { nodeOfVm } from './vm-node.ts'

interface BackupOptions {
  output: string
  includeVolumes?: boolean
}

interface RestoreOptions {
  file?: string
  image?: string
}

/** `aleph instance backup` and `restore`. */
export function backupCommands(instance: Command, terminal: Terminal): void {
  instance
    .command('backup')
    .argument('<hash>', 'item hash of an instance of yours that runs')
    .description('copy the disks of an instance into a file')
    .option('-o, --output <path>', 'where to', 'backup.tar')
    .option('--include-volumes', 'its persistent volumes too')
    .addHelpText(
      'after',
      '\nThe instance stands still while it is copied.\n\nExample:\n  aleph instance backup HASH -o mine.tar',
    )
    .action((hash: string, options: BackupOptions, command: Command) =>
      backup(Session.of(terminal, command), hash, options),
    )
  instance
    .command('restore')
    .argument('<hash>', 'item hash of an instance of yours')
    .description('replace the root disk of an instance')
    .addOption(new Option('--file <path>', 'a backup, or a qcow2 image').conflicts('image'))
    .option('--image <hash>', 'item hash of a stored image')
    .addHelpText('after', '\nExample:\n  aleph instance restore HASH --file mine.tar')
    .action((hash: string, options: RestoreOptions, command: Command) =>
      restore(Session.of(terminal, command), hash, options),
    )
}

async function backup(session: Session, hash: string, options: BackupOptions): Promise<void> {
  const { output, signal, terminal } = session
  const path = resolve(terminal.cwd, options.output)
  const { node } = await nodeOfVm(session, hash)
  const step = output.step('Copying its disks')
  try {
    const made = await node.createBackup(hash, { includeVolumes: options.includeVolumes ?? false, signal })
    step.update('Downloading the copy')
    await download(node, made, path, signal)
    step.done('Saved')
    const { size: bytes, checksum, volumes } = made
    output.result({ item_hash: hash, path, bytes, checksum, volumes }, () =>
      fields([
        ['saved', path],
        ['bytes', String(bytes)],
        ['disks', volumes.join(', ')],
        ['checksum', checksum],
      ]),
    )
  } catch (error) {
    step.fail('Not saved')
    throw error
  }
}

/** The file has its name only once it is whole. */
async function download(
  node: ComputeNodeClient,
  made: InstanceBackup,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const part = `${path}.part`
  const digest = createHash('sha256')
  const body = await node.downloadBackup(made, { signal })
  try {
    const read = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0])
    read.on('data', (chunk: Uint8Array) => digest.update(chunk))
    await pipeline(read, createWriteStream(part, { mode: 0o600 }), { signal })
    if (`sha256:${digest.digest('hex')}` !== made.checksum) {
      throw new CliError('checksum_mismatch', 'The backup arrived damaged', { hint: 'Run it again.' })
    }
    await rename(part, path)
  } finally {
    await rm(part, { force: true })
  }
}

async function restore(session: Session, hash: string, options: RestoreOptions): Promise<void> {
  const { output, signal, terminal } = session
  const { file, image } = options
  if (file === undefined && image === undefined) {
    throw new CliError('usage', 'Nothing to restore from', {
      exitCode: exitCodes.usage,
      hint: 'Give --file or --image.',
    })
  }
  const source = file === undefined ? { storeHash: image! } : await openRootDisk(resolve(terminal.cwd, file))
  const { node, computeNode } = await nodeOfVm(session, hash)
  await session.confirm(`Replace the root disk of ${hash}? It restarts.`)
  const step = output.step('Restoring')
  try {
    await node.restore(hash, source, { signal })
  } catch (error) {
    step.fail('Not restored')
    throw error
  }
  step.done('Done')
  output.result({ item_hash: hash, operation: 'restore', compute_node: computeNode }, () =>
    fields([
      ['restored', hash],
      ['compute node', computeNode.url],
    ]),
  )
}
