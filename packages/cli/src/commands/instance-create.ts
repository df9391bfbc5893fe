import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { type AlephClient, buildInstance, type InstanceFields } from '@aleph-ts/sdk'
import { type Command, Option } from 'commander'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { wholeNumber } from '../terminal/numbers.ts'
import type { Step } from '../terminal/output.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { nodeOfVm } from './vm-node.ts'
import { addVolume, type PersistentVolume, volumeOption } from './volume-option.ts'

interface CreateOptions {
  image: string
  sshKey: string
  diskSize: number
  memory: number
  vcpus: number
  volume?: PersistentVolume[]
  name?: string
  internet: boolean
  payment: 'hold' | 'credit'
  node?: string
  confidential?: string
  policy: number
}

const help = `
The image is a qcow2 or raw disk that boots and knows cloud-init. Your key is let in by ssh.

Examples:
  aleph instance create --image HASH --ssh-key ~/.ssh/id_ed25519.pub
  aleph instance create --image HASH --memory 4096 --disk-size 40960 --volume data:/srv/data:10240
  aleph instance create --image HASH --confidential FIRMWARE_HASH`

/** `aleph instance create`. */
export function createCommand(instance: Command, terminal: Terminal): void {
  instance
    .command('create')
    .description('start a virtual machine with a disk of its own')
    .requiredOption('--image <hash>', 'item hash of the image of its root disk')
    .option('--ssh-key <path>', 'public key that is let in', '~/.ssh/id_ed25519.pub')
    .option('--disk-size <MiB>', 'size of its root disk', wholeNumber(1, 2_097_152), 20_480)
    .option('--memory <MiB>', 'memory', wholeNumber(64, 1_048_576), 2_048)
    .option('--vcpus <count>', 'processors', wholeNumber(1, 256), 1)
    .option(volumeOption.flags, volumeOption.description, addVolume)
    .option('--name <name>', 'what to call it')
    .option('--no-internet', 'let it reach nothing by itself')
    .option('--node <hash>', 'run on this compute node only')
    .option('--confidential <hash>', 'keep its memory from its host: item hash of its firmware')
    .option(
      '--policy <number>',
      'what the processor forbids the host of a confidential one',
      wholeNumber(0, 65_535),
      1,
    )
    .addOption(new Option('--payment <type>', 'how it is paid').choices(['hold', 'credit']).default('credit'))
    .addHelpText('after', help)
    .action((options: CreateOptions, command: Command) => create(Session.of(terminal, command), options))
}

async function create(session: Session, options: CreateOptions): Promise<void> {
  const { output } = session
  const client = await session.signer()
  const params: InstanceFields = {
    image: options.image,
    diskMiB: options.diskSize,
    authorizedKeys: [await readPublicKey(session.terminal, options.sshKey)],
    memoryMiB: options.memory,
    vcpus: options.vcpus,
    internet: options.internet,
    volumes: options.volume ?? [],
    paymentType: options.payment,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.node === undefined ? {} : { nodeHash: options.node }),
    ...(options.confidential === undefined
      ? {}
      : { confidential: { firmware: options.confidential, policy: options.policy } }),
  }
  if ((await session.network()).name !== 'devnet') await session.confirm('Create it?')
  const step = output.step('Sending the instance')
  try {
    const hash = await send(session, client, params)
    await (options.confidential === undefined ? tellRunning : tellLaunchable)(session, client, hash, step)
  } catch (error) {
    step.fail('Not running')
    throw error
  }
}

async function tellRunning(session: Session, client: AlephClient, hash: string, step: Step): Promise<void> {
  const { output, signal } = session
  step.update('Waiting until it runs')
  await client.waitForAllocation(hash, { signal })
  const { node, computeNode } = await nodeOfVm(session, hash)
  const { networking } = await node.waitUntilRunning(hash, { signal })
  const port = networking?.mapped_ports?.['22']?.host ?? null
  step.done('It runs')
  const host = new URL(computeNode.url).hostname
  output.result({ item_hash: hash, compute_node: computeNode, ssh: { host, port } }, () =>
    fields([
      ['item hash', hash],
      ['compute node', computeNode.url],
      ['ssh', port === null ? null : `ssh -p ${port} root@${host}`],
    ]),
  )
}

/** A confidential instance runs once its owner has launched it. */
async function tellLaunchable(
  session: Session,
  client: AlephClient,
  hash: string,
  step: Step,
): Promise<void> {
  step.update('Waiting for its compute node')
  await client.waitForAllocation(hash, { signal: session.signal })
  const { computeNode } = await nodeOfVm(session, hash)
  step.done('It waits for you to launch it')
  session.output.result({ item_hash: hash, compute_node: computeNode, awaiting_launch: true }, () =>
    fields([
      ['item hash', hash],
      ['compute node', computeNode.url],
      ['next', `aleph instance confidential init-session ${hash}`],
    ]),
  )
}

async function send(session: Session, client: AlephClient, params: InstanceFields): Promise<string> {
  const { signal, channel } = session
  const message = buildInstance(params, { account: client.context.account!, channel })
  const { itemHash, status } = await client.send(message, { signal })
  if (status === 'pending') await client.waitForMessage(itemHash, { signal })
  return itemHash
}

async function readPublicKey(terminal: Terminal, path: string): Promise<string> {
  const home = terminal.env.HOME ?? homedir()
  const file = resolve(terminal.cwd, path.replace(/^~(?=\/)/, home))
  const text = await readFile(file, 'utf8').catch(() => '')
  if (/^(ssh|ecdsa|sk)-\S+ \S+/.test(text) && text.trim().split('\n').length === 1) return text.trim()
  throw new CliError('no_ssh_key', `There is no public ssh key in ${file}`, {
    exitCode: exitCodes.usage,
    hint: 'Make one with ssh-keygen, or name yours with --ssh-key.',
  })
}
