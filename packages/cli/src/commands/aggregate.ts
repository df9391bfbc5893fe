import type { Command } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { parseJson, readText } from '../terminal/input.ts'
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

function readJson(terminal: Terminal, json: string): Promise<string> {
  return json.startsWith('@') ? readText(terminal, json.slice(1)) : Promise.resolve(json)
}

function parseObject(text: string): Record<string, unknown> {
  const value = parseJson(text, 'the content of an aggregate')
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw new CliError('bad_json', 'Cannot use this as the content of an aggregate: it is no object', {
    exitCode: exitCodes.usage,
    hint: `Give a JSON object, in quotes: '{"name":"Ada"}'`,
  })
}
