import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

const setHelp = `
The object is merged over what the key holds, field by field on the first level; a field set to null stays as null.

Examples:
  aleph aggregate set profile '{"name":"Ada"}'
  aleph aggregate set settings @settings.json
  echo '{"a":1}' | aleph aggregate set counters @-`

/** `aleph aggregate`: the key-value store of an address. */
export function aggregateCommand(root: Command, terminal: Terminal): void {
  const aggregate = root.command('aggregate').description('the key-value store of an address')
  aggregate
    .command('get')
    .argument('[key]', 'one key; all of them by default')
    .description('show what an address keeps')
    .option('--owner <address>', 'whose (default: yours)')
    .addHelpText('after', '\nExamples:\n  aleph aggregate get\n  aleph aggregate get profile --owner 0x…')
    .action((key: string | undefined, options: { owner?: string }, command: Command) =>
      get(Session.of(terminal, command), key, options.owner),
    )
  aggregate
    .command('set')
    .argument('<key>', 'key')
    .argument('<json>', 'JSON object; @FILE for a file, @- for standard input')
    .description('write fields of a key')
    .addHelpText('after', setHelp)
    .action((key: string, json: string, _options: object, command: Command) =>
      set(Session.of(terminal, command), key, json),
    )
}

async function get(session: Session, key: string | undefined, asked: string | undefined): Promise<void> {
  const { signal } = session
  const owner = asked ?? (await session.identity()).address
  const client = await session.reader()
  const all = await client.getAggregates(owner, { ...(key === undefined ? {} : { keys: [key] }), signal })
  const value = key === undefined ? all : all[key]
  if (value === undefined) {
    throw new CliError('not_found', `${owner} keeps nothing under "${key}"`, { exitCode: exitCodes.notFound })
  }
  session.output.result(value, () => JSON.stringify(value, null, 2))
}

async function set(session: Session, key: string, json: string): Promise<void> {
  const { output, signal } = session
  const content = parseObject(await readJson(session.terminal, json))
  const client = await session.signer()
  const sent = await client.publishAggregate({ key, content }, { signal })
  if (sent.status === 'pending') await client.waitForMessage(sent.itemHash, { signal })
  const { type, sender, channel, time } = sent.envelope
  const document = { status: 'processed', item_hash: sent.itemHash, type, sender, channel, time, key }
  output.result(document, () =>
    fields([
      ['item hash', sent.itemHash],
      ['key', key],
      ['owner', sender],
    ]),
  )
}

async function readJson(terminal: Terminal, json: string): Promise<string> {
  if (json === '@-') return readAll(terminal.stdin)
  return json.startsWith('@') ? readFile(resolve(terminal.cwd, json.slice(1)), 'utf8') : json
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw notAnObject(`it is not JSON (${(error as Error).message})`)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw notAnObject('it is no object')
  return value as Record<string, unknown>
}

function notAnObject(why: string): CliError {
  return new CliError('bad_json', `Cannot use this as the content of an aggregate: ${why}`, {
    exitCode: exitCodes.usage,
    hint: `Give a JSON object, in quotes: '{"name":"Ada"}'`,
  })
}
