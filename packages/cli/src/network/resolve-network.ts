import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { createClientContext, getNodeVersion } from '@aleph-ts/sdk'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import { mainnet, type Network, networkAtUrl } from './network.ts'
import { findNetworkFile, readNetworkFile } from './network-file.ts'

const probeTimeoutMs = 1_500

export interface ResolvedNetwork {
  network: Network
  /** Worth telling: why it is not the network one might expect. */
  remark?: string
}

/**
 * Which network a command talks to: the one asked for (`mainnet`, `devnet`, a core node's URL, a path), else a
 * devnet that runs in this folder or above, else mainnet.
 */
export async function resolveNetwork(
  asked: string | undefined,
  cwd: string,
  signal: AbortSignal,
): Promise<ResolvedNetwork> {
  if (asked !== undefined && asked !== '') return { network: namedNetwork(asked, cwd) }
  const file = findNetworkFile(cwd)
  if (file === undefined) return { network: mainnet }
  const devnet = readNetworkFile(file)
  if (!devnet.apiUrls.every(isLoopback)) {
    return {
      network: mainnet,
      remark: `Using mainnet: ${file} points at other machines (choose it with --network).`,
    }
  }
  if (await isAnswering(devnet, signal)) return { network: devnet }
  return { network: mainnet, remark: `Using mainnet: the devnet of ${file} does not answer.` }
}

function namedNetwork(asked: string, cwd: string): Network {
  if (asked === 'mainnet') return mainnet
  if (asked === 'devnet') {
    const file = findNetworkFile(cwd)
    if (file !== undefined) return readNetworkFile(file)
    throw new CliError('no_devnet', `No devnet was started in ${cwd} or above`, {
      exitCode: exitCodes.notFound,
      hint: 'Start one with "npm run up", or name its data folder: --network PATH.',
    })
  }
  if (/^https?:\/\//.test(asked)) return networkAtUrl(asked.replace(/\/+$/, ''))
  const path = resolve(cwd, asked)
  if (existsSync(path)) return readNetworkFile(path)
  throw new CliError('unknown_network', `There is no network "${asked}"`, {
    exitCode: exitCodes.usage,
    hint: 'Use mainnet, devnet, the URL of a core node, or the path of a network.json.',
  })
}

/** A file found by chance must not lead keys and messages to a machine of somebody else. */
function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
}

async function isAnswering(network: Network, signal: AbortSignal): Promise<boolean> {
  const context = createClientContext({ apiUrls: network.apiUrls, retries: network.apiUrls.length - 1 })
  try {
    await getNodeVersion(context, { signal, timeoutMs: probeTimeoutMs })
    return true
  } catch (error) {
    if (signal.aborted) throw error
    return false
  }
}
