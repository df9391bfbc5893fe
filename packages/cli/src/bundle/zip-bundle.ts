import { createReadStream } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { BundleFile } from './collect-files.ts'

/** The largest archive compute nodes take (protocol 05 §1, MAX_PROGRAM_ARCHIVE_SIZE). */
export const maxArchiveBytes = 10_000_000

/**
 * Packs files into a zip that depends on nothing but their names, bytes and executable bits: the same program
 * has the same hash, whoever packs it and whenever.
 */
export async function zipBundle(files: readonly BundleFile[]): Promise<Uint8Array<ArrayBuffer>> {
  const zip = new ZipFile()
  for (const file of files) {
    zip.addReadStreamLazy(file.path, entryOptions(file), (done) => done(null, createReadStream(file.source)))
  }
  zip.end()
  const failed = new Promise<never>((_resolve, reject) => zip.on('error', reject))
  const bytes = await Promise.race([buffer(zip.outputStream), failed])
  if (bytes.length > maxArchiveBytes) {
    throw new CliError(
      'too_large',
      `The packed program has ${bytes.length} bytes; nodes take ${maxArchiveBytes}`,
      {
        exitCode: exitCodes.usage,
        hint: 'Leave out what it does not need with an .alephignore file, or bundle it into one file.',
      },
    )
  }
  return new Uint8Array(bytes)
}

function entryOptions(file: BundleFile) {
  return {
    // The zip format keeps local time: its first moment is written alike in every time zone.
    mtime: new Date(1980, 0, 1),
    forceDosTimestamp: true,
    mode: file.executable ? 0o100755 : 0o100644,
    compress: true,
  }
}
