import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DeployedContracts, deployContracts } from '@aleph-ts/contracts'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { chainAccounts } from './funding.ts'

const restartDelayMs = 500

export interface DevnetChain {
  chain: LocalChain
  contracts: DeployedContracts
}

/** Starts the local EVM chain; at the first start of a data dir also deploys the contracts on it. */
export async function startChain(
  dataDir: string,
  port: number,
  note: (text: string) => void,
): Promise<DevnetChain> {
  const chain = await LocalChain.create({
    port,
    accounts: chainAccounts,
    stateFile: join(dataDir, 'chain', 'state.json'),
    onExit: (error) => {
      note(`the chain stopped (${error.message}), starting it again`)
      setTimeout(
        () => chain.start().catch((again: Error) => note(`the chain stays down: ${again.message}`)),
        restartDelayMs,
      )
    },
    onSaveError: (error) => note(`the chain could not be saved: ${error.message}`),
  })
  await chain.start()
  return { chain, contracts: await contractsOn(chain, join(dataDir, 'chain', 'contracts.json')) }
}

async function contractsOn(chain: LocalChain, file: string): Promise<DeployedContracts> {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as DeployedContracts
  const contracts = await deployContracts({ rpcUrl: chain.rpcUrl, privateKey: chain.accounts[0]!.privateKey })
  await chain.save()
  writeFileSync(file, JSON.stringify(contracts))
  return contracts
}
