import { createWalletClient, defineChain, getAddress, http, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { alephCreditsAbi, alephCreditsBytecode } from './generated/aleph-credits.ts'
import { alephSyncAbi, alephSyncBytecode } from './generated/aleph-sync.ts'
import { alephTokenAbi, alephTokenBytecode } from './generated/aleph-token.ts'

/** Where an account acts: JSON-RPC address, and its private key as 0x and 64 hex digits. */
export interface EvmSigner {
  rpcUrl: string
  privateKey: `0x${string}`
}

/** Addresses (EIP-55) of a network's contracts, and the block of the first of them. */
export interface DeployedContracts {
  token: `0x${string}`
  sync: `0x${string}`
  /** Start block for readers of their events. */
  blockNumber: number
}

/** A transaction was put on chain and failed there. */
export class TransactionFailedError extends Error {
  readonly code = 'transaction_failed'
  readonly transactionHash: `0x${string}`
  constructor(what: string, transactionHash: `0x${string}`) {
    super(`${what}: transaction ${transactionHash} was reverted`)
    this.transactionHash = transactionHash
  }
}

/**
 * Puts the ALEPH token and the sync contract on a chain (protocol 04 §13, §20).
 * The deployer owns all 500 million ALEPH.
 *
 *     const { token } = await deployContracts({ rpcUrl, privateKey })
 *
 * @throws {TransactionFailedError} or viem's errors when the chain refuses
 */
export async function deployContracts(signer: EvmSigner): Promise<DeployedContracts> {
  const client = await connect(signer)
  const token = await deployed(client, 'ALEPH token', {
    hash: await client.deployContract({ abi: alephTokenAbi, bytecode: alephTokenBytecode }),
  })
  const sync = await deployed(client, 'sync contract', {
    hash: await client.deployContract({ abi: alephSyncAbi, bytecode: alephSyncBytecode }),
  })
  return { token: token.address, sync: sync.address, blockNumber: token.blockNumber }
}

/**
 * Puts the contract on a chain through which users pay for credits (protocol 04 §19.2); the deployer owns it.
 *
 * @throws {TransactionFailedError} or viem's errors when the chain refuses
 */
export async function deployCredits(
  signer: EvmSigner,
): Promise<{ address: `0x${string}`; blockNumber: number }> {
  const client = await connect(signer)
  const args = [client.account.address] as const
  const hash = await client.deployContract({ abi: alephCreditsAbi, bytecode: alephCreditsBytecode, args })
  return await deployed(client, 'credit contract', { hash })
}

type Client = Awaited<ReturnType<typeof connect>>

/** A client of whatever chain answers at the address, which signs with the given key. */
export async function connect({ rpcUrl, privateKey }: EvmSigner) {
  const transport = http(rpcUrl)
  const account = privateKeyToAccount(privateKey)
  const probe = createWalletClient({ transport, account }).extend(publicActions)
  const chain = defineChain({
    id: await probe.getChainId(),
    name: 'EVM',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  })
  return createWalletClient({ transport, account, chain, pollingInterval: 50 }).extend(publicActions)
}

/** Waits until a transaction is in a block and throws if it failed there. */
export async function confirmed(client: Client, what: string, hash: `0x${string}`) {
  const receipt = await client.waitForTransactionReceipt({ hash })
  if (receipt.status !== 'success') throw new TransactionFailedError(what, hash)
  return receipt
}

async function deployed(client: Client, what: string, { hash }: { hash: `0x${string}` }) {
  const receipt = await confirmed(client, what, hash)
  if (!receipt.contractAddress) throw new TransactionFailedError(what, hash)
  return { address: getAddress(receipt.contractAddress), blockNumber: Number(receipt.blockNumber) }
}
