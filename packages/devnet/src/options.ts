import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type GuestKernel, guestKernels } from '@aleph-ts/guest'

export interface DevnetOptions {
  /** How many core nodes to start. */
  coreNodes: number
  /** How many compute nodes to start; the i-th is linked to the i-th core node, round robin. */
  computeNodes: number
  /** Where chain, databases, keys, files and logs live; a second start with the same folder continues. */
  dataDir: string
  /** First of the block of ports to use; chosen (and remembered in the data dir) when absent. */
  portBase: number | undefined
  /** Stop after the main job instead of staying up. */
  once: boolean
  /** One scheduler places VMs for all core nodes. */
  central: boolean
  /** Skip the main job. */
  quick: boolean
  /** What programs' machines boot. */
  guestKernel: GuestKernel
}

export const usage = `Start a whole Aleph network on this machine and run a program on it.

Usage: npm run up -- [options]

  --once            stop after the six steps; the last line of output is one JSON object
  --quick           only start the network, without the six steps
  --nodes N         core nodes (default 3)
  --compute M       compute nodes (default 2)
  --central         the first core node places VMs for all of them
  --kernel lean     a smaller kernel for programs: starts take less where guests are
                    emulated; compiled the first time, in some minutes
  --data-dir DIR    where everything is kept (default .devnet); start again to continue
  --port-base P     first port of the block to use (default: a free block from 24600)
  --help            this text
`

export class UsageError extends Error {
  readonly code = 'usage'
}

/** Reads the command line of `npm run up`; throws {@link UsageError} naming the option that is wrong. */
export function parseOptions(args: string[]): DevnetOptions | 'help' {
  const { values } = readArgs(args)
  if (values.help) return 'help'
  const coreNodes = integer('--nodes', values.nodes, 3, 1, 32)
  return {
    coreNodes,
    computeNodes: integer('--compute', values.compute, Math.min(2, coreNodes), 0, 64),
    dataDir: resolve(values['data-dir'] ?? '.devnet'),
    portBase:
      values['port-base'] === undefined
        ? undefined
        : integer('--port-base', values['port-base'], 0, 1024, 65_000),
    once: values.once ?? false,
    central: values.central ?? false,
    quick: values.quick ?? false,
    guestKernel: kernel(values.kernel),
  }
}

function readArgs(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        nodes: { type: 'string' },
        compute: { type: 'string' },
        'data-dir': { type: 'string' },
        'port-base': { type: 'string' },
        once: { type: 'boolean' },
        central: { type: 'boolean' },
        quick: { type: 'boolean' },
        kernel: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function kernel(text = 'debian'): GuestKernel {
  const known = guestKernels.find((name) => name === text)
  if (known) return known
  throw new UsageError(`--kernel must be ${guestKernels.join(' or ')}, got "${text}"`)
}

function integer(name: string, text: string | undefined, fallback: number, min: number, max: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}, got "${text}"`)
}
