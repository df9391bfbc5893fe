import { basename, resolve } from 'node:path'
import { vmHostLabel } from '@aleph-ts/protocol'
import type { AlephClient, Allocation, DeployedProgram, DeployStep } from '@aleph-ts/sdk'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { collectFiles } from '../bundle/collect-files.ts'
import { guessStart, type RuntimeName, runtimeNames } from '../bundle/guess-runtime.ts'
import { zipBundle } from '../bundle/zip-bundle.ts'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { Network } from '../network/network.ts'
import { Session } from '../session.ts'
import { wholeNumber } from '../terminal/numbers.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type Quote, quoteProgram, refuseUnpaid } from './program-quote.ts'
import { addVolume, type PersistentVolume, volumeOption } from './volume-option.ts'

interface DeployOptions {
  runtime?: string
  entrypoint?: string
  persistent?: boolean
  memory: number
  vcpus: number
  timeout: number
  internet?: boolean
  name?: string
  var?: Record<string, string>
  volume?: PersistentVolume[]
  onMessage?: Record<string, unknown>[]
  payment: 'hold' | 'credit'
}

const help = `
A folder or a single file is packed, uploaded and started in a microVM. How it is started is guessed: package.json
"main" or index.ts (node), main.py with an ASGI "app" (python), an executable run, start, main or server (binary).
What .alephignore (else .gitignore) names stays out, and so do .git and .env files.

Examples:
  aleph program deploy hello.ts
  aleph program deploy ./api --name api --memory 512 --var GREETING=Hello
  aleph program deploy ./bot --on-message '{"type": "POST", "channel": "CHAT"}'
  aleph program deploy ./api --volume data:/data:1024
  aleph program deploy ./bot --runtime python --entrypoint bot.web:app --persistent --internet
  aleph program deploy ./site --json | jq -r .program.url`

/** `aleph program deploy`. */
export function deployCommand(program: Command, terminal: Terminal): void {
  program
    .command('deploy')
    .argument('<path>', 'folder or file of the program')
    .description('put a program on the network')
    .option('--runtime <name>', `${runtimeNames.join(', ')}, or the item hash of a runtime`)
    .option('--entrypoint <entrypoint>', 'file to start, or module:app for Python')
    .option('--persistent', 'keep it running, instead of starting it at a request')
    .option('--memory <MiB>', 'memory', wholeNumber(64, 1_048_576), 256)
    .option('--vcpus <count>', 'processors', wholeNumber(1, 256), 1)
    .option('--timeout <seconds>', 'longest time to the beginning of an answer', wholeNumber(1, 3_600), 30)
    .option('--internet', 'let it reach public addresses')
    .option('--name <name>', 'what to call it (default: the name of the folder)')
    .option('--var <name=value>', 'environment variable; may be repeated', addVariable)
    .option(volumeOption.flags, volumeOption.description, addVolume)
    .option(
      '--on-message <json>',
      'call it for messages that have these attributes; may be repeated',
      addSubscription,
    )
    .addOption(new Option('--payment <type>', 'how it is paid').choices(['hold', 'credit']).default('hold'))
    .addHelpText('after', help)
    .action((path: string, options: DeployOptions, command: Command) =>
      deploy(Session.of(terminal, command), path, options),
    )
}

async function deploy(session: Session, path: string, options: DeployOptions): Promise<void> {
  const { output, signal } = session
  const folder = resolve(session.terminal.cwd, path)
  const files = await collectFiles(folder)
  const askedName = runtimeNames.find((name) => name === options.runtime)
  const start = await guessStart(files, {
    ...(askedName === undefined ? {} : { runtime: askedName }),
    ...(options.entrypoint === undefined ? {} : { entrypoint: options.entrypoint }),
  })
  const network = await session.network()
  const runtime = runtimeHash(network, options.runtime, start.runtime)
  const code = await zipBundle(files)
  const client = await session.signer()
  const program = {
    runtime,
    runtimeComment: `aleph-ts ${start.runtime}`,
    entrypoint: start.entrypoint,
    interface: start.runtime === 'python' ? ('asgi' as const) : ('binary' as const),
    persistent: options.persistent ?? false,
    memoryMiB: options.memory,
    vcpus: options.vcpus,
    seconds: options.timeout,
    internet: options.internet ?? false,
    name: options.name ?? basename(folder),
    ...(options.var === undefined ? {} : { variables: options.var }),
    ...(options.volume === undefined ? {} : { volumes: options.volume }),
    ...(options.onMessage === undefined ? {} : { onMessage: options.onMessage }),
    paymentType: options.payment,
  }
  const quote = await quoteProgram(client, program, code.length, signal)
  output.note(
    fields([
      ['network', network.name],
      ['program', `${program.name}: ${start.runtime}, starts ${start.entrypoint}`],
      ['code', `${files.length} ${files.length === 1 ? 'file' : 'files'}, ${code.length} bytes packed`],
      ['account', quote.address],
      ['price', quote.price ?? 'the node does not tell'],
      ['you have', quote.available],
    ]),
  )
  refuseUnpaid(quote)
  if (network.name !== 'devnet') await session.confirm('Deploy it?')
  const deployed = await deployWithProgress(session, client, { ...program, code })
  const document = describe(network, deployed, start, quote)
  output.result(document, () =>
    fields([
      ['item hash', deployed.itemHash],
      ['compute node', deployed.allocation?.computeNode.url],
      ...document.program.urls.map((url, index) => [index === 0 ? 'url' : '', url] as const),
    ]),
  )
}

const stepTexts: Record<DeployStep, string> = {
  uploading: 'Uploading the code',
  sending: 'Sending the program',
  processing: 'Waiting until the network has processed it',
  allocating: 'Waiting for a compute node',
  ready: 'Deployed',
}

async function deployWithProgress(
  session: Session,
  client: AlephClient,
  params: Parameters<AlephClient['deployProgram']>[0],
): Promise<DeployedProgram> {
  const step = session.output.step('Preparing')
  const onStep = (name: DeployStep) => (name === 'ready' ? undefined : step.update(stepTexts[name]))
  try {
    const deployed = await client.deployProgram({ ...params, onStep, signal: session.signal })
    step.done(stepTexts.ready)
    return deployed
  } catch (error) {
    step.fail('Not deployed')
    throw error
  }
}

function describe(
  network: Network,
  { itemHash, envelope, code, allocation, url }: DeployedProgram,
  start: { runtime: RuntimeName; entrypoint: string },
  quote: Quote,
) {
  return {
    status: 'processed',
    item_hash: itemHash,
    type: envelope.type,
    sender: envelope.sender,
    channel: envelope.channel,
    time: envelope.time,
    network: network.name,
    program: {
      url,
      urls: allocation === null ? [] : urlsOf(allocation, itemHash),
      core_node: allocation?.coreNode ?? null,
      compute_node: allocation?.computeNode ?? null,
      runtime: start.runtime,
      entrypoint: start.entrypoint,
    },
    code: code === null ? null : { item_hash: code.itemHash, file_hash: code.fileHash, size: code.size },
    price: { cost: quote.cost, payment_type: quote.paymentType },
  }
}

/** By path, and by a host name of its own (protocol 05 §5.1), which a node at a bare address does not have. */
function urlsOf(allocation: Allocation, itemHash: string): string[] {
  const byPath = `${allocation.computeNode.url}/vm/${itemHash}/`
  const node = new URL(allocation.computeNode.url)
  const isLocal = node.hostname === '127.0.0.1' || node.hostname === 'localhost'
  if (!isLocal && /^[\d.]+$|^\[/.test(node.hostname)) return [byPath]
  const domain = isLocal ? 'localhost' : node.hostname
  const port = node.port === '' ? '' : `:${node.port}`
  return [byPath, `${node.protocol}//${vmHostLabel(itemHash)}.${domain}${port}/`]
}

function runtimeHash(network: Network, asked: string | undefined, guessed: RuntimeName): string {
  if (asked !== undefined && /^[0-9a-f]{64}$/.test(asked)) return asked
  const name = asked ?? guessed
  const hash = network.runtimes[name]
  if (hash !== undefined) return hash
  const known = Object.keys(network.runtimes)
  throw new CliError('unknown_runtime', `No runtime "${name}" is known on the network ${network.name}`, {
    exitCode: exitCodes.usage,
    hint: `Give ${known.length === 0 ? '' : `${known.join(', ')}, or `}the item hash of a runtime: --runtime HASH.`,
  })
}

function addVariable(text: string, variables: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Give it as NAME=value.')
  return { ...variables, [name]: value }
}

function addSubscription(text: string, subscriptions: Record<string, unknown>[] = []) {
  const attributes = parsed(text)
  if (typeof attributes !== 'object' || attributes === null || Array.isArray(attributes)) {
    throw new InvalidArgumentError(
      'Give a JSON object with attributes of messages, such as {"type": "POST"}.',
    )
  }
  return [...subscriptions, attributes as Record<string, unknown>]
}

/** Undefined when it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
