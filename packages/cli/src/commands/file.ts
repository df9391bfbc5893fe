import { randomBytes } from 'node:crypto'
import { createWriteStream, existsSync, openAsBlob } from 'node:fs'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { AlephApiError, type AlephClient, type UploadedFile } from '@aleph-ts/sdk'
import { type Command, Option } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface UploadOptions {
  engine: 'storage' | 'ipfs'
  ref?: string
  mimeType?: string
  payment: 'hold' | 'credit'
}

/** `aleph file`: files the network keeps. */
export function fileCommand(root: Command, terminal: Terminal): void {
  const file = root.command('file').description('files on the network')
  file
    .command('upload')
    .argument('<path>', 'the file, or a folder (which goes to IPFS)')
    .description('store a file or folder')
    .addOption(
      new Option('--engine <name>', 'what a file is found by: its sha256 (storage), or its CID (ipfs)')
        .choices(['storage', 'ipfs'])
        .default('storage'),
    )
    .option('--ref <name>', 'name to find the latest version by, or the STORE it replaces')
    .option('--mime-type <type>', 'what kind of file it is')
    .addOption(new Option('--payment <type>', 'how it is paid').choices(['hold', 'credit']).default('hold'))
    .addHelpText(
      'after',
      '\nExamples:\n  aleph file upload photo.jpg\n  aleph file upload data.csv --ref prices --json\n  aleph file upload website/',
    )
    .action((path: string, options: UploadOptions, command: Command) =>
      upload(Session.of(terminal, command), path, options),
    )
  file
    .command('download')
    .argument('<hash>', 'hash of the file, or item hash of its STORE message')
    .description('fetch a file and check it against its hash')
    .option('-o, --output <path>', 'where to write it (default: the hash as name)')
    .option('--force', 'overwrite what is there')
    .addHelpText(
      'after',
      '\nExamples:\n  aleph file download HASH -o photo.jpg\n  aleph file download STORE_HASH',
    )
    .action((hash: string, options: { output?: string; force?: boolean }, command: Command) =>
      download(Session.of(terminal, command), hash, options),
    )
}

async function upload(session: Session, path: string, options: UploadOptions): Promise<void> {
  const { output, signal } = session
  const source = resolve(session.terminal.cwd, path)
  const facts = await stat(source).catch(() => undefined)
  if (!facts?.isFile() && !facts?.isDirectory()) {
    throw new CliError('no_such_path', `There is no file ${path}`, {
      exitCode: exitCodes.usage,
      hint: 'Check the path.',
    })
  }
  const client = await session.signer()
  const step = output.step(`Uploading ${basename(source)}`)
  const send = facts.isDirectory() ? sendFolder : sendFile
  const stored = await send(client, source, options, signal).catch((error) => {
    step.fail('Not stored')
    throw error
  })
  if (stored.status === 'pending') await client.waitForMessage(stored.itemHash, { signal })
  step.done('Stored')
  const document = {
    status: 'processed',
    item_hash: stored.itemHash,
    type: stored.envelope.type,
    sender: stored.envelope.sender,
    channel: stored.envelope.channel,
    time: stored.envelope.time,
    file: { hash: stored.fileHash, size: stored.size },
  }
  output.result(document, () =>
    fields([
      ['item hash', stored.itemHash],
      [facts.isDirectory() ? 'CID' : 'file hash', stored.fileHash],
      ['size', `${stored.size} bytes`],
    ]),
  )
}

async function sendFile(
  client: AlephClient,
  source: string,
  options: UploadOptions,
  signal: AbortSignal,
): Promise<UploadedFile> {
  const file = await openAsBlob(source)
  const { engine } = options
  return client.uploadFile({ file, engine, fileName: basename(source), ...storeFields(options), signal })
}

/** Links and other things that are no files are left out: a folder on the network holds files only. */
async function sendFolder(
  client: AlephClient,
  source: string,
  options: UploadOptions,
  signal: AbortSignal,
): Promise<UploadedFile> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  if (paths.length === 0) {
    throw new CliError('empty_folder', `There are no files in ${source}`, {
      exitCode: exitCodes.usage,
      hint: 'Give a folder with at least one file.',
    })
  }
  const files = await Promise.all(
    paths.map(async (path) => ({
      path: relative(source, path).replaceAll(sep, '/'),
      file: await openAsBlob(path),
    })),
  )
  const stored = await client.uploadFolder({ files, ...storeFields(options), signal })
  return { ...stored, fileHash: stored.cid }
}

function storeFields({ ref, mimeType, payment }: UploadOptions) {
  return {
    paymentType: payment,
    ...(ref === undefined ? {} : { ref }),
    ...(mimeType === undefined ? {} : { mimeType }),
  }
}

async function download(
  session: Session,
  hash: string,
  options: { output?: string; force?: boolean },
): Promise<void> {
  const { output, signal } = session
  const path = resolve(session.terminal.cwd, options.output ?? hash)
  if (existsSync(path) && !options.force) {
    throw new CliError('file_exists', `${path} exists already`, {
      exitCode: exitCodes.conflict,
      hint: 'Choose another --output, or overwrite it with --force.',
    })
  }
  const client = await session.reader()
  const { fileHash, bytes } = await openStored(client, hash, signal)
  const draft = `${path}.${randomBytes(4).toString('hex')}.part`
  try {
    await pipeline(bytes, createWriteStream(draft, { flags: 'wx' }), { signal })
    await rename(draft, path)
  } finally {
    await rm(draft, { force: true })
  }
  const { size } = await stat(path)
  output.result({ file: { hash: fileHash, size }, path }, () =>
    fields([
      ['file', path],
      ['size', `${size} bytes`],
      ['hash', fileHash],
    ]),
  )
}

/** A hash names a file, or the STORE message that holds one: the message is looked for when there is no such file. */
async function openStored(client: AlephClient, hash: string, signal: AbortSignal) {
  try {
    return { fileHash: hash, bytes: await client.downloadFile(hash, { signal }) }
  } catch (error) {
    if (!(error instanceof AlephApiError) || error.code !== 'not_found') throw error
    const { fileHash } = await client.findFile(hash, { signal })
    return { fileHash, bytes: await client.downloadFile(fileHash, { signal }) }
  }
}
