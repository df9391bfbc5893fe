import { styleText } from 'node:util'
import type { NetworkFile } from './network/network-file.ts'

/** The table shown while a network is up: where everything is, and keys to play with. */
export function summary(network: NetworkFile, dataDir: string): string {
  const lines = [
    '',
    heading('Core nodes'),
    ...network.coreNodes.map((node, i) => `  core-${i + 1}     ${node.url}   ${node.peerId}`),
    heading('Compute nodes'),
    ...network.computeNodes.map((node, i) => `  compute-${i + 1}  ${node.url}   linked to ${node.coreNode}`),
    heading('Chain'),
    `  ${network.chain.rpc}   chain id ${network.chain.chainId}`,
    ...Object.entries(network.chain.contracts).map(([name, address]) => `  ${name.padEnd(10)} ${address}`),
    heading('Runtimes (item hashes)'),
    ...Object.entries(network.runtimes).map(([name, hash]) => `  ${name.padEnd(10)} ${hash}`),
    heading('Accounts (public test keys: never send them anything of worth)'),
    ...network.accounts.map((each) => `  ${each.address}   ${each.privateKey}   ${each.aleph} ALEPH`),
    '',
    `  Everything is in ${dataDir} (logs in logs/, addresses in network.json).`,
    `  Deploy your own:  npx aleph program deploy examples/hello-node`,
    '',
  ]
  return lines.join('\n')
}

function heading(text: string): string {
  return styleText('bold', text)
}
