import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, join, sep } from 'node:path'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { type IsIgnored, parseIgnoreRules } from './ignore-rules.ts'

export interface BundleFile {
  /** Where it is in the bundle, with `/`. */
  path: string
  /** Where it is on this machine. */
  source: string
  size: number
  executable: boolean
}

/** What compute nodes unpack at most; more is refused here, before anything is sent. */
export const bundleLimits = { files: 20_000, unpackedBytes: 512 * 1024 * 1024 }

/**
 * The files of a program in a fixed order: a single file, or a folder less what its .alephignore (else its
 * .gitignore) leaves out. Links are followed as long as they stay inside the folder.
 */
export async function collectFiles(path: string): Promise<BundleFile[]> {
  const facts = await stat(path).catch(() => undefined)
  if (facts?.isFile()) return [bundleFile(basename(path), path, facts)]
  if (!facts?.isDirectory()) {
    throw new CliError('no_such_path', `There is no file or folder ${path}`, {
      exitCode: exitCodes.usage,
      hint: 'Give the path of your program.',
    })
  }
  const root = await realpath(path)
  const files: BundleFile[] = []
  await collectFolder({ root, isIgnored: await readIgnoreRules(root), files, folders: [root] }, '')
  if (files.length === 0) {
    throw new CliError('empty_folder', `There is nothing to deploy in ${path}`, {
      exitCode: exitCodes.usage,
      hint: 'Check the folder and its .alephignore.',
    })
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

interface Walk {
  root: string
  isIgnored: IsIgnored
  files: BundleFile[]
  /** Real paths of the folders we are in, so that a link to one of them does not go round for ever. */
  folders: string[]
}

async function collectFolder(walk: Walk, folder: string): Promise<void> {
  for (const name of await readdir(join(walk.root, folder))) {
    const path = folder === '' ? name : `${folder}/${name}`
    const source = await realpath(join(walk.root, path)).catch(() => undefined)
    const facts = source === undefined ? undefined : await stat(source)
    if (walk.isIgnored(path, facts?.isDirectory() ?? false)) continue
    if (source === undefined || facts === undefined) throw badLink(path, 'leads nowhere')
    if (source !== walk.root && !source.startsWith(walk.root + sep)) throw badLink(path, 'leaves the folder')
    if (facts.isDirectory()) {
      if (walk.folders.includes(source)) throw badLink(path, 'leads back to its own folder')
      await collectFolder({ ...walk, folders: [...walk.folders, source] }, path)
    } else if (facts.isFile()) {
      walk.files.push(bundleFile(path, source, facts))
      refuseTooMuch(walk.files)
    }
  }
}

function bundleFile(path: string, source: string, facts: { size: number; mode: number }): BundleFile {
  return { path, source, size: facts.size, executable: (facts.mode & 0o100) !== 0 }
}

async function readIgnoreRules(folder: string): Promise<IsIgnored> {
  for (const name of ['.alephignore', '.gitignore']) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined)
    if (text !== undefined) return parseIgnoreRules(text)
  }
  return parseIgnoreRules('')
}

function refuseTooMuch(files: BundleFile[]): void {
  const bytes = files.reduce((sum, file) => sum + file.size, 0)
  if (files.length <= bundleLimits.files && bytes <= bundleLimits.unpackedBytes) return
  throw new CliError(
    'too_large',
    `A program may have ${bundleLimits.files} files and ${bundleLimits.unpackedBytes / 1024 ** 2} MiB`,
    { exitCode: exitCodes.usage, hint: 'Leave out what it does not need with an .alephignore file.' },
  )
}

function badLink(path: string, why: string): CliError {
  return new CliError('bad_link', `The link ${path} ${why}`, {
    exitCode: exitCodes.usage,
    hint: 'Replace it by a copy, or leave it out with an .alephignore file.',
  })
}
