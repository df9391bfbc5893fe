import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { chainCodes } from '@aleph-ts/protocol'
import { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { Network } from './network.ts'

const maxFileBytes = 1024 * 1024

const url = z.url({ protocol: /^https?$/ })

const onChain = { chain: z.enum(chainCodes), evmChainId: z.int().positive(), rpc: url.optional() }
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/)
const streamSchema = z.looseObject({ ...onChain, superToken: address, forwarder: address })
const saleSchema = z.looseObject({
  ...onChain,
  contract: address,
  tokenContract: address,
  token: z.string().max(32),
  decimals: z.int().min(0).max(36),
  creditsPerToken: z.string(),
  bonusPercent: z.int().default(0),
  startBlock: z.int().default(0),
  finalAfterBlocks: z.int().default(0),
})

/** What a running devnet writes of itself. */
const networkFileSchema = z.looseObject({
  coreNodes: z.array(z.looseObject({ url })).min(1),
  computeNodes: z.array(z.looseObject({ url, coreNode: z.string().default('') })).default([]),
  streams: z.array(streamSchema).default([]),
  creditSales: z.array(saleSchema).default([]),
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
  const { coreNodes, computeNodes, streams, creditSales, accounts, runtimes } = result.data
  return {
    name: 'devnet',
    source: file,
    apiUrls: coreNodes.map((node) => node.url.replace(/\/+$/, '')),
    computeNodes: computeNodes.map((node) => ({ url: node.url, coreNode: node.coreNode })),
    streams,
    creditSales,
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
