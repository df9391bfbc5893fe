import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import type { Terminal } from '../terminal/terminal.ts'

interface CallOptions {
  request?: string
  data?: string
  header?: [string, string][]
  include?: boolean
  fail?: boolean
}

const help = `
The body of the answer goes to standard output as it arrives; a status of 400 or more is told on standard error,
and is a failure only with --fail. With --json the whole answer is one document.

Examples:
  aleph program call HASH
  aleph program call HASH '/greet?name=Ada' -i
  aleph program call HASH /items -X POST -H 'content-type: application/json' -d '{"name":"lamp"}'
  aleph program call HASH /upload -d @picture.png > answer.json`

/** `aleph program call`. */
export function callCommand(program: Command, terminal: Terminal): void {
  program
    .command('call')
    .argument('<hash>', 'item hash of the program')
    .argument('[path]', 'path and query', '/')
    .description('send a request to a program')
    .option('-X, --request <method>', 'method (GET, or POST with data)')
    .option('-d, --data <text>', 'body; @FILE for a file, @- for standard input')
    .option('-H, --header <name: value>', 'header; may be repeated', addHeader)
    .option('-i, --include', 'show status and headers too')
    .option('--fail', 'end with code 1 when the status is 400 or more')
    .addHelpText('after', help)
    .action((hash: string, path: string, options: CallOptions, command: Command) =>
      call(Session.of(terminal, command), hash, path, options),
    )
}

async function call(session: Session, hash: string, path: string, options: CallOptions): Promise<void> {
  const { output, signal, terminal } = session
  const client = await session.reader()
  const body = options.data === undefined ? undefined : await readData(terminal, options.data)
  const response = await client.callProgram(hash, path, {
    method: options.request ?? (body === undefined ? 'GET' : 'POST'),
    redirect: 'manual',
    signal,
    ...(options.header === undefined ? {} : { headers: options.header }),
    ...(body === undefined ? {} : { body }),
  })
  if (output.json) {
    const text = await response.text()
    const headers = Object.fromEntries(response.headers)
    output.result({ status: response.status, url: response.url, headers, body: text }, () => text)
  } else {
    if (options.include) terminal.stdout.write(headText(response))
    if (response.body) await pipeline(response.body, unclosed(terminal.stdout), { signal })
    if (terminal.stdout.isTTY) terminal.stdout.write('\n')
    if (response.status >= 400) output.note(`The program answered ${response.status} ${response.statusText}`)
  }
  if (options.fail && response.status >= 400) {
    throw new CliError('http_error', `The program answered ${response.status}`, {
      exitCode: exitCodes.failed,
      hint: `See its log: aleph program logs ${hash}`,
    })
  }
}

function headText(response: Response): string {
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}\n`).join('')
  return `HTTP ${response.status} ${response.statusText}\n${headers}\n`
}

/** A stream into standard output that leaves it open. */
function unclosed(target: Writable): Writable {
  return new Writable({
    write: (chunk, encoding, done) => void target.write(chunk, encoding, done),
  })
}

async function readData(terminal: Terminal, data: string): Promise<Uint8Array<ArrayBuffer> | string> {
  if (data === '@-') return new Uint8Array(await buffer(terminal.stdin))
  if (data.startsWith('@')) return new Uint8Array(await readFile(resolve(terminal.cwd, data.slice(1))))
  return data
}

function addHeader(text: string, headers: [string, string][] = []): [string, string][] {
  const [, name, value] = /^([!#$%&'*+\-.^_`|~\w]+):\s*(.*)$/.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Give it as "name: value".')
  return [...headers, [name, value]]
}
