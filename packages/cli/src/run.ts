import { Command } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { accountCommand } from './commands/account.ts'
import { aggregateCommand } from './commands/aggregate.ts'
import { creditsCommand } from './commands/credits.ts'
import { fileCommand } from './commands/file.ts'
import { instanceCommand } from './commands/instance.ts'
import { messageCommand } from './commands/message.ts'
import { networkCommand } from './commands/network.ts'
import { nodeCommand } from './commands/node.ts'
import { paymentCommand } from './commands/payment.ts'
import { priceCommand } from './commands/price.ts'
import { programCommand } from './commands/program.ts'
import { rewardsCommand } from './commands/rewards.ts'
import { type ExitCode, exitCodeHelp, exitCodes } from './exit-codes.ts'
import { describeFailure, ToldFailure } from './failure.ts'
import type { Terminal } from './terminal/terminal.ts'

const examples = `
Examples:
  aleph network                              where commands go
  aleph account create                       make a key
  aleph program deploy ./my-function         put a folder or a file on the network
  aleph program call HASH /path              ask it something
  aleph instance create --image HASH         start a virtual machine
  aleph message get HASH --json              look at a message
  aleph payment list                         what you pay for
  aleph node list                            who runs the network

${exitCodeHelp}

Environment:
  ALEPH_NETWORK      like --network            ALEPH_PRIVATE_KEY  act with this key
  ALEPH_ACCOUNT      like --account            ALEPH_PASSPHRASE   opens encrypted keys
  ALEPH_HOME         where keys are kept (default ~/.config/aleph)`

/** Runs the tool with the given arguments and returns the exit code; writes only to the terminal given. */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const root = createRoot(terminal)
  try {
    await root.parseAsync([...args], { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    if (isHelp(error)) return (error as { exitCode?: number }).exitCode === 0 ? exitCodes.ok : exitCodes.usage
    if (error instanceof ToldFailure) return error.exitCode
    const { exitCode, json } = describeFailure(error, terminal.signal.aborted)
    if (args.includes('--json')) {
      terminal.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
    } else {
      const { message, hint } = json.error
      terminal.stderr.write(`aleph: ${message}\n${hint === undefined ? '' : `  ${hint}\n`}`)
      if (args.includes('--debug')) terminal.stderr.write(`${(error as Error).stack ?? ''}\n`)
    }
    return exitCode
  }
}

function createRoot(terminal: Terminal): Command {
  const root = new Command('aleph')
    .description('Everything an Aleph network offers, from a terminal.')
    .option('--network <name|url|path>', 'mainnet, devnet, the URL of a core node, or a network.json')
    .option('--account <name>', 'who acts: an account of yours, or devnet:N')
    .option('--channel <name>', 'channel of what is sent')
    .option('--json', 'print one JSON document')
    .option('-y, --yes', 'do not ask')
    .option('--debug', 'show where an error came from')
    .addHelpText('after', examples)
    .version(manifest.version, '--version', 'show the version')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
      // Shown by run, in the one form all errors have.
      outputError: () => undefined,
    })
  for (const add of [
    accountCommand,
    programCommand,
    instanceCommand,
    messageCommand,
    fileCommand,
    aggregateCommand,
    paymentCommand,
    priceCommand,
    creditsCommand,
    networkCommand,
    nodeCommand,
    rewardsCommand,
  ]) {
    add(root, terminal)
  }
  return root
}

function isHelp(error: unknown): boolean {
  const code = (error as { code?: string }).code
  return code === 'commander.helpDisplayed' || code === 'commander.help' || code === 'commander.version'
}
