import { createPublicClient, formatUnits, getAddress, http, parseUnits } from 'viem'
import { confirmed, connect, type EvmSigner } from './deploy.ts'
import { alephTokenAbi } from './generated/aleph-token.ts'

/** Decimals of ALEPH on EVM chains (protocol 04 §20). */
export const alephDecimals = 18

/** One payment; `aleph` is a decimal string such as "2000" or "0.5". */
export interface AlephPayment {
  to: string
  aleph: string
}

/**
 * Pays ALEPH to one or many addresses in one transaction, all or none.
 *
 *     await transferAleph({ rpcUrl, privateKey, token, payments: [{ to: address, aleph: '2000' }] })
 *
 * @returns hash and block of the transaction
 * @throws RangeError for an amount that is no positive decimal with at most 18 digits after the point
 * @throws {TransactionFailedError} or viem's errors when the chain refuses (such as a balance too low)
 */
export async function transferAleph(
  options: EvmSigner & { token: string; payments: AlephPayment[] },
): Promise<{ transactionHash: `0x${string}`; blockNumber: number }> {
  const recipients = options.payments.map(({ to }) => getAddress(to))
  const amounts = options.payments.map(({ aleph }) => parseAleph(aleph))
  const client = await connect(options)
  const hash = await client.writeContract({
    address: getAddress(options.token),
    abi: alephTokenAbi,
    functionName: 'batchTransfer',
    args: [recipients, amounts],
  })
  const receipt = await confirmed(client, 'ALEPH transfer', hash)
  return { transactionHash: hash, blockNumber: Number(receipt.blockNumber) }
}

/** What an address holds now, as a decimal string of whole ALEPH. */
export async function readAlephBalance(options: {
  rpcUrl: string
  token: string
  address: string
}): Promise<string> {
  const client = createPublicClient({ transport: http(options.rpcUrl) })
  const balance = await client.readContract({
    address: getAddress(options.token),
    abi: alephTokenAbi,
    functionName: 'balanceOf',
    args: [getAddress(options.address)],
  })
  return formatUnits(balance, alephDecimals)
}

function parseAleph(aleph: string): bigint {
  if (!/^\d{1,60}(\.\d{1,18})?$/.test(aleph)) {
    throw new RangeError(`aleph: give a decimal with at most 18 digits after the point, not "${aleph}"`)
  }
  return parseUnits(aleph, alephDecimals)
}
