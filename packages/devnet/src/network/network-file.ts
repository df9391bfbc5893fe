import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** `network.json` in the data dir: tells tools where everything is while the network runs. */
export interface NetworkFile {
  coreNodes: { url: string; peerId: string; address: string }[]
  computeNodes: { url: string; coreNode: string }[]
  chain: { rpc: string; chainId: number; contracts: Record<string, string> }
  /** How to pay by the second, as in the network's profile. */
  streams: { chain: string; evmChainId: number; superToken: string; forwarder: string; rpc: string }[]
  /** Tokens that credits are bought with, and the contract they are sent to. */
  creditSales: {
    chain: string
    evmChainId: number
    contract: string
    tokenContract: string
    token: string
    decimals: number
    creditsPerToken: string
    bonusPercent: number
    rpc: string
  }[]
  accounts: { address: string; privateKey: string; aleph: string }[]
  /** Item hash of the STORE message of each guest runtime. */
  runtimes: Record<string, string>
}

export function networkFilePath(dataDir: string): string {
  return join(dataDir, 'network.json')
}

/** Readable by its owner only: it holds private keys, though only of accounts that are worth nothing. */
export function writeNetworkFile(dataDir: string, network: NetworkFile): void {
  writeFileSync(networkFilePath(dataDir), `${JSON.stringify(network, null, 2)}\n`, { mode: 0o600 })
}

/** Gone when the network is: tools take the file as the sign that one runs. */
export function removeNetworkFile(dataDir: string): void {
  rmSync(networkFilePath(dataDir), { force: true })
}
