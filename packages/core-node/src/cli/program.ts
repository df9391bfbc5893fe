import { Command } from 'commander'
import { loadConfig } from '../config-file.ts'
import { version } from '../version.ts'
import { doctor } from './doctor.ts'
import { exportMessages } from './export.ts'
import { importMessages } from './import.ts'
import { showKeys } from './keys.ts'
import { showPeers } from './peers.ts'
import { releasePlan } from './release-plan.ts'
import { start } from './start.ts'
import { showStatus } from './status.ts'

/** The command line of the core node: `aleph-core-node [start|keys|status|peers|doctor|release-plan|export|import]`. */
export function coreNodeProgram(): Command {
  const program = new Command('aleph-core-node')
    .description('A core node of an Aleph network. Settings come from ALEPH_CORE_… variables and the file.')
    .version(version)
    .option('-c, --config <file>', 'JSON file with settings; variables win (default: ALEPH_CORE_CONFIG)')
  const config = () => loadConfig(process.env, program.opts<{ config?: string }>().config)

  program
    .command('start', { isDefault: true })
    .description('run the node until it is told to stop')
    .option('--role <role>', 'all, process or api (default: ALEPH_CORE_ROLE)')
    .action((options) => start(config(), options))
  program
    .command('keys')
    .description('show who this node is; creates its keys when there are none')
    .action(() => showKeys(config()))
  program
    .command('status')
    .description('how the running node does')
    .option('--url <url>', 'where its API answers')
    .option('--json', 'for programs')
    .action((options) => showStatus(config(), options))
  program
    .command('peers')
    .description('the nodes this node heard of')
    .option('--json', 'for programs')
    .action((options) => showPeers(config(), options))
  program
    .command('doctor')
    .description('look for what keeps this node from working; exit code 1 when there is something')
    .action(() => doctor(config()))
  program
    .command('release-plan')
    .description(
      'tell a compute node its plan, though it stops most of its VMs and the log says that it is held back',
    )
    .argument('<compute node>', 'its hash')
    .option('--url <url>', 'where the API of the node answers')
    .action((computeNode, options) => releasePlan(config(), computeNode, options))
  program
    .command('export')
    .description('write every message as a line of JSON')
    .argument('[file]', 'by default to standard output')
    .action((file) => exportMessages(config(), file))
  program
    .command('import')
    .description('hand exported messages to the running node, which checks them like any others')
    .argument('[file]', 'by default from standard input')
    .option('--url <url>', 'where its API answers')
    .action((file, options) => importMessages(config(), file, options))
  return program
}
