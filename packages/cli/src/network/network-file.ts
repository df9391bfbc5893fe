import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { Network } from './network.ts'

const maxFileBytes = 1024 * 1024

const url = z.url({ protocol: /^https?$/ })

/** What a running devnet writes of itself. */
const networkFileSchema = z.looseObject({
  coreNodes: z.array(z.looseObject({ url })).min(1),
  computeNodes: z.array(z.looseObject({ url, coreNode: z.string().default('') })).default([]),
  accounts: z
    .array(
      z.looseObject({
        address: z.string(),
        privateKey: z.string(),
        aleph: z.union([z.string(), z.number()]).transform(String).default('0'),
      }),
    )
    .default([]),
  runtimes: z.record(z.string(), z.string()).default({}),
})

/** Looks for `.devnet/network.json` from a folder upwards. */
export function findNetworkFile(folder: string): string | undefined {
  for (let current = resolve(folder); ; current = dirname(current)) {
    const path = join(current, '.devnet', 'network.json')
    if (existsSync(path)) return path
    if (current === dirname(current)) return undefined
  }
}

/** Reads a `network.json`, or the one in a folder. */
export function readNetworkFile(path: string): Network {
  const file = statSync(path).isDirectory() ? join(path, 'network.json') : path
  const result = networkFileSchema.safeParse(readJson(file))
  if (!result.success) {
    const [issue] = result.error.issues
    throw unreadable(file, `${issue?.path.join('.') || 'the document'}: ${issue?.message}`)
  }
  const { coreNodes, computeNodes, accounts, runtimes } = result.data
  return {
    name: 'devnet',
    source: file,
    apiUrls: coreNodes.map((node) => node.url.replace(/\/+$/, '')),
    computeNodes: computeNodes.map((node) => ({ url: node.url, coreNode: node.coreNode })),
    accounts: accounts.map(({ address, privateKey, aleph }) => ({ address, privateKey, aleph })),
    runtimes,
  }
}

function readJson(file: string): unknown {
  if (!existsSync(file)) throw unreadable(file, 'there is no such file')
  if (statSync(file).size > maxFileBytes) throw unreadable(file, `it is larger than ${maxFileBytes} bytes`)
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    throw unreadable(file, 'it is not JSON')
  }
}

function unreadable(file: string, why: string): CliError {
  return new CliError('bad_network_file', `Cannot use ${file} as a network: ${why}`, {
    exitCode: exitCodes.usage,
    hint: 'Start the devnet again with "npm run up", or give another --network.',
  })
}
