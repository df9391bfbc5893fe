import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { TrustedExecution } from '@aleph-ts/protocol'
import {
  attestGuest,
  buildSevSecret,
  createSevSession,
  releaseSecrets,
  verifySevMeasurement,
} from '@aleph-ts/sdk/confidential'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type AttestOptions, attestedInstance } from '../confidential/attested-instance.ts'
import { firmwareDigest, trustedExecutionOf } from '../confidential/trusted-instance.ts'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { Session } from '../session.ts'
import { askSecret } from '../terminal/prompts.ts'
import { fields } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { nodeOfVm, type VmNode } from './vm-node.ts'

interface InitOptions {
  amdChain?: string
  keepSession?: boolean
}

interface StartOptions extends AttestOptions {
  firmwareHash?: string
  firmwareFile?: string
  secretFile?: string
}

const help = `
With SEV the processor is asked before the guest runs: init-session, then start. With SEV-SNP the guest answers for
itself: attest, or start at once. Nothing secret leaves this machine before all was verified.

Examples:
  aleph instance create --image HASH --confidential FIRMWARE_HASH
  aleph instance confidential init-session HASH
  aleph instance confidential start HASH --secret-file passphrase.txt`

/** `aleph instance confidential`: instances whose memory their host cannot read. */
export function confidentialCommands(instance: Command, terminal: Terminal): void {
  const confidential = instance
    .command('confidential')
    .description('launch instances whose memory their host cannot read')
    .addHelpText('after', help)
  confidential
    .command('init-session')
    .argument('<hash>', 'item hash of a confidential instance of yours')
    .description('agree with the processor on keys, and launch (SEV)')
    .option('--amd-chain <path>', "AMD's certificates for the processor (ASK and ARK, binary)")
    .option('--keep-session', 'use the keys of the last time')
    .action((hash: string, options: InitOptions, command: Command) =>
      initSession(Session.of(terminal, command), hash, options),
    )
  const start = confidential
    .command('start')
    .argument('<hash>', 'item hash of a confidential instance of yours')
    .description('verify what was launched, and hand over the passphrase of its disk')
    .option('--secret-file <path>', 'file with the passphrase; default: it is asked for')
    .addOption(
      new Option('--firmware-hash <sha256>', 'what the firmware should be').conflicts('firmwareFile'),
    )
    .option('--firmware-file <path>', 'the firmware as it should be')
    .action((hash: string, options: StartOptions, command: Command) =>
      startInstance(Session.of(terminal, command), hash, options),
    )
  const attest = confidential
    .command('attest')
    .argument('<hash>', 'item hash of a confidential instance of yours')
    .description('have a running guest prove what it is (SEV-SNP)')
    .action((hash: string, options: AttestOptions, command: Command) =>
      attestInstance(Session.of(terminal, command), hash, options),
    )
  for (const command of [start, attest]) {
    command
      .option('--url <url>', 'where the guest answers; default: as its compute node tells')
      .addOption(
        new Option('--amd-product <name>', 'family of the processor').choices(['Milan', 'Genoa', 'Turin']),
      )
      .option('--key-server <url>', "server with the chips' certificates; default: AMD's")
      .option(
        '--amd-root <sha256>',
        "public key to trust in the place of AMD's known roots, for a newer family",
        sha256,
      )
  }
}

async function initSession(session: Session, hash: string, options: InitOptions): Promise<void> {
  const { signal, output, launches, terminal } = session
  const vm = await nodeOfVm(session, hash)
  const trusted = await trustedExecutionOf(await session.reader(), hash, signal)
  assertSev(trusted)
  const amdChain = options.amdChain && (await readFile(resolve(terminal.cwd, options.amdChain)))
  const step = output.step('Agreeing on keys with the processor')
  try {
    let launch = options.keepSession ? launches.find(hash) : null
    let isMadeByAmd: boolean | null = null
    if (!launch) {
      const certificates = await vm.node.getCertificates({ signal })
      const made = createSevSession({ certificates, policy: trusted.policy, ...(amdChain && { amdChain }) })
      launches.save(hash, made)
      launch = made
      isMadeByAmd = made.isMadeByAmd
    }
    step.update('Launching')
    await vm.node.initialize(hash, launch, { signal })
    step.done('Launched; it waits for its secret')
    if (isMadeByAmd === false) {
      output.note(
        "The platform's keys were not compared with AMD's, so its host may have made them up: --amd-chain FILE",
      )
    }
    output.result({ item_hash: hash, compute_node: vm.computeNode, made_by_amd: isMadeByAmd }, () =>
      fields([
        ['launched', hash],
        ['next', `aleph instance confidential start ${hash}`],
      ]),
    )
  } catch (error) {
    step.fail('Not launched')
    throw error
  }
}

async function startInstance(session: Session, hash: string, options: StartOptions): Promise<void> {
  const { signal, output } = session
  const vm = await nodeOfVm(session, hash)
  const trusted = await trustedExecutionOf(await session.reader(), hash, signal)
  const secret = await readSecret(session, options.secretFile)
  const step = output.step('Verifying what was launched')
  try {
    if (isMeasured(trusted)) {
      const guest = await attestedInstance(vm, hash, trusted, { ...options, signal })
      await releaseSecrets(guest, { luks_passphrase: secret })
    } else {
      await injectSecret(session, vm, hash, trusted, secret, options)
    }
  } catch (error) {
    step.fail('It has no secret')
    throw error
  }
  step.done('Verified; it has its secret')
  output.result({ item_hash: hash, compute_node: vm.computeNode, running: true }, () =>
    fields([
      ['started', hash],
      ['compute node', vm.computeNode.url],
    ]),
  )
}

async function injectSecret(
  session: Session,
  { node }: VmNode,
  hash: string,
  trusted: TrustedExecution,
  secret: string,
  options: StartOptions,
): Promise<void> {
  const { signal, launches } = session
  const keys = launches.find(hash)
  if (!keys) {
    throw new CliError('no_session', `There are no keys of a launch of ${hash} here`, {
      exitCode: exitCodes.notFound,
      hint: `Launch it first: aleph instance confidential init-session ${hash}`,
    })
  }
  const firmware = await expectedFirmware(session, trusted, options)
  const measurement = await node.getMeasurement(hash, { signal })
  verifySevMeasurement(measurement, { tik: keys.tik, policy: trusted.policy, firmware })
  const packed = buildSevSecret(secret, keys, measurement.launchMeasure)
  if (await node.injectSecret(hash, packed, { signal })) return
  throw new CliError('not_running', `${hash} took its secret, but does not run`)
}

/** By the options, else by the instance's own message. */
async function expectedFirmware(
  session: Session,
  trusted: TrustedExecution,
  options: StartOptions,
): Promise<string> {
  const { firmwareHash, firmwareFile } = options
  if (firmwareHash !== undefined && /^[0-9a-f]{64}$/.test(firmwareHash)) return firmwareHash
  if (firmwareFile !== undefined) {
    const bytes = await readFile(resolve(session.terminal.cwd, firmwareFile))
    return createHash('sha256').update(bytes).digest('hex')
  }
  if (firmwareHash === undefined && trusted.firmware !== null) {
    return firmwareDigest(await session.reader(), trusted.firmware, session.signal)
  }
  throw new CliError('usage', 'Which firmware it should be is not told as a sha256', {
    exitCode: exitCodes.usage,
    hint: 'Give --firmware-hash or --firmware-file.',
  })
}

async function attestInstance(session: Session, hash: string, options: AttestOptions): Promise<void> {
  const { signal, output } = session
  const vm = await nodeOfVm(session, hash)
  const trusted = await trustedExecutionOf(await session.reader(), hash, signal)
  if (!isMeasured(trusted)) {
    throw new CliError('usage', `${hash} uses SEV, whose guests cannot answer for themselves`, {
      exitCode: exitCodes.usage,
      hint: `It is verified when it starts: aleph instance confidential start ${hash}`,
    })
  }
  const guest = await attestedInstance(vm, hash, trusted, { ...options, signal })
  const report = await attestGuest(guest)
  const measurement = report.measurement.toString('hex')
  const { reportedTcb: tcb, policy } = report
  const policyText = `0x${policy.value.toString(16)}`
  output.result({ item_hash: hash, url: guest.url, measurement, policy: policyText, tcb }, () =>
    fields([
      ['verified', hash],
      ['at', guest.url],
      ['measurement', measurement],
      ['policy', policyText],
    ]),
  )
}

function isMeasured({ mode }: TrustedExecution): boolean {
  if (mode === 'tdx') {
    throw new CliError('unsupported', 'Reports of Intel TDX cannot be verified yet', {
      exitCode: exitCodes.usage,
    })
  }
  return mode === 'sev_snp'
}

function assertSev(trusted: TrustedExecution): void {
  if (!isMeasured(trusted)) return
  throw new CliError('usage', 'Guests with SEV-SNP need no session', {
    exitCode: exitCodes.usage,
    hint: 'Go on with: aleph instance confidential start HASH',
  })
}

function sha256(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text
  throw new InvalidArgumentError('Give it as 64 lower-case hex digits.')
}

/** One line; never an argument, which others on this machine could read. */
async function readSecret(session: Session, file: string | undefined): Promise<string> {
  const { terminal, interactive } = session
  if (file !== undefined) return (await readFile(resolve(terminal.cwd, file), 'utf8')).replace(/\r?\n$/, '')
  if (interactive) return askSecret(terminal, 'Passphrase of its disk')
  throw new CliError(
    'secret_needed',
    'The passphrase of its disk is needed, and there is nobody to type it',
    {
      exitCode: exitCodes.usage,
      hint: 'Give --secret-file, or run in a terminal.',
    },
  )
}
