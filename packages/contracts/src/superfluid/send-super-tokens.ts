import { getAddress, parseAbi, parseUnits } from 'viem'
import { alephDecimals } from '../aleph.ts'
import { confirmed, connect, type EvmSigner } from '../deploy.ts'

const tokenAbi = parseAbi(['function transfer(address to, uint256 amount) returns (bool)'])

/**
 * Sends the token that streams to some addresses, one transaction each.
 *
 * @param options.amount for each, decimal text of whole tokens
 * @throws {TransactionFailedError} or viem's errors when the chain refuses
 */
export async function sendSuperTokens(
  options: EvmSigner & { superToken: string; recipients: readonly string[]; amount: string },
): Promise<void> {
  const client = await connect(options)
  const amount = parseUnits(options.amount, alephDecimals)
  for (const recipient of options.recipients) {
    const hash = await client.writeContract({
      address: getAddress(options.superToken),
      abi: tokenAbi,
      functionName: 'transfer',
      args: [getAddress(recipient), amount],
    })
    await confirmed(client, 'transfer of super tokens', hash)
  }
}
