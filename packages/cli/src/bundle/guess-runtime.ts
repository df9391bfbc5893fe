import { open, readFile } from 'node:fs/promises'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { BundleFile } from './collect-files.ts'

export const runtimeNames = ['node', 'python', 'binary'] as const
export type RuntimeName = (typeof runtimeNames)[number]

export interface StartPlan {
  runtime: RuntimeName
  /** What the runtime starts, as it goes into the message. */
  entrypoint: string
}

const nodeFile = /\.(ts|mts|js|mjs)$/
const nodeEntries = ['index', 'main', 'server', 'src/index', 'src/main'].flatMap((stem) =>
  ['ts', 'mts', 'js', 'mjs'].map((extension) => `${stem}.${extension}`),
)
const pythonEntries = ['main.py', 'app.py', 'asgi.py', 'src/main.py']
const binaryEntries = ['run', 'run.sh', 'start', 'start.sh', 'main', 'server', 'main.sh', 'server.sh']

/**
 * Finds out how a program wants to be started, from what it is told and from its files: `package.json` or an
 * index file for node, `main.py` for Python, an executable `run`, `start`, `main` or `server` for anything else.
 */
export async function guessStart(
  files: readonly BundleFile[],
  asked: { runtime?: RuntimeName; entrypoint?: string },
): Promise<StartPlan> {
  const { runtime, entrypoint } = asked
  if (entrypoint !== undefined) refuseMissing(files, entrypoint)
  if (runtime !== undefined && entrypoint !== undefined) return { runtime, entrypoint }
  if (entrypoint !== undefined) return { runtime: await runtimeOfEntrypoint(files, entrypoint), entrypoint }
  for (const guess of [guessNode, guessPython, guessBinary]) {
    const plan = await guess(files)
    if (plan && (runtime === undefined || plan.runtime === runtime)) return plan
  }
  throw new CliError('unclear_program', 'It is not clear how this program is started', {
    exitCode: exitCodes.usage,
    hint: 'Say it: --runtime node|python|binary --entrypoint FILE (Python: --entrypoint module:app).',
  })
}

async function guessNode(files: readonly BundleFile[]): Promise<StartPlan | undefined> {
  const main = (await mainOfPackage(files)) ?? only(files, nodeFile) ?? firstOf(files, nodeEntries)
  return main === undefined ? undefined : { runtime: 'node', entrypoint: main }
}

async function guessPython(files: readonly BundleFile[]): Promise<StartPlan | undefined> {
  const main = only(files, /\.py$/) ?? firstOf(files, pythonEntries)
  return main === undefined ? undefined : { runtime: 'python', entrypoint: pythonEntrypoint(main) }
}

async function guessBinary(files: readonly BundleFile[]): Promise<StartPlan | undefined> {
  const main = firstOf(files, binaryEntries) ?? (files.length === 1 ? files[0]!.path : undefined)
  if (main === undefined) return undefined
  return (await isExecutable(find(files, main)!)) ? { runtime: 'binary', entrypoint: main } : undefined
}

async function runtimeOfEntrypoint(files: readonly BundleFile[], entrypoint: string): Promise<RuntimeName> {
  if (nodeFile.test(entrypoint)) return 'node'
  const file = find(files, entrypoint)
  if (file) return (await isExecutable(file)) && !entrypoint.endsWith('.py') ? 'binary' : 'python'
  return 'python'
}

/** A Python file as the ASGI application in it. */
function pythonEntrypoint(path: string): string {
  return `${path.replace(/\.py$/, '').replaceAll('/', '.')}:app`
}

async function mainOfPackage(files: readonly BundleFile[]): Promise<string | undefined> {
  const file = find(files, 'package.json')
  if (!file) return undefined
  try {
    const { main } = JSON.parse(await readFile(file.source, 'utf8')) as { main?: unknown }
    return typeof main === 'string' ? find(files, main.replace(/^\.\//, ''))?.path : undefined
  } catch {
    throw new CliError('bad_package_json', 'package.json is not JSON', { exitCode: exitCodes.usage })
  }
}

/** A program that is a single file of this kind. */
function only(files: readonly BundleFile[], pattern: RegExp): string | undefined {
  const [first, ...others] = files
  return first && others.length === 0 && pattern.test(first.path) ? first.path : undefined
}

function firstOf(files: readonly BundleFile[], names: readonly string[]): string | undefined {
  return names.find((name) => find(files, name))
}

function find(files: readonly BundleFile[], path: string): BundleFile | undefined {
  return files.find((file) => file.path === path)
}

/** Marked as executable, or beginning like something a kernel can start. */
async function isExecutable(file: BundleFile): Promise<boolean> {
  if (file.executable) return true
  const handle = await open(file.source)
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.toString('latin1').startsWith('#!') || buffer.toString('latin1') === '\x7fELF'
  } finally {
    await handle.close()
  }
}

function refuseMissing(files: readonly BundleFile[], entrypoint: string): void {
  const module = /^([\w.]+):\w+$/.exec(entrypoint)?.[1]
  const stem = module?.replaceAll('.', '/')
  const wanted = stem === undefined ? [entrypoint] : [`${stem}.py`, `${stem}/__init__.py`]
  if (wanted.some((path) => find(files, path))) return
  throw new CliError('no_entrypoint', `The entrypoint ${entrypoint} is not among the files of the program`, {
    exitCode: exitCodes.usage,
    hint: 'Give a file relative to the folder (Python: module:app), and check the .alephignore file.',
  })
}
