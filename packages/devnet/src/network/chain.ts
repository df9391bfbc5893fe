import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DeployedContracts, deployContracts, deployCredits } from '@aleph-ts/contracts'
import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { type DeployedSuperfluid, deploySuperfluid } from '@aleph-ts/contracts/superfluid'
import { chainAccounts } from './funding.ts'

const restartDelayMs = 500

export interface DevnetContracts extends DeployedContracts {
  /** Where credits are bought, and the block from which on. */
  credits: { address: `0x${string}`; blockNumber: number }
  /** Through which machines are paid by the second. */
  superfluid: DeployedSuperfluid
}

export interface DevnetChain {
  chain: LocalChain
  contracts: DevnetContracts
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

async function contractsOn(chain: LocalChain, file: string): Promise<DevnetContracts> {
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<DevnetContracts>) : {}
  const signer = { rpcUrl: chain.rpcUrl, privateKey: chain.accounts[0]!.privateKey }
  const { token, sync, blockNumber } = isDeployed(before) ? before : await deployContracts(signer)
  const contracts: DevnetContracts = {
    token,
    sync,
    blockNumber,
    credits: before.credits ?? (await deployCredits(signer)),
    superfluid: before.superfluid ?? (await deploySuperfluid(signer)),
  }
  await chain.save()
  writeFileSync(file, JSON.stringify(contracts))
  return contracts
}

function isDeployed(contracts: Partial<DevnetContracts>): contracts is DeployedContracts {
  return contracts.token !== undefined && contracts.sync !== undefined
}
