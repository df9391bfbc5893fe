import { type Allocation, ComputeNodeClient } from '@aleph-ts/sdk'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'
import type { Session } from '../session.ts'

export interface VmNode {
  node: ComputeNodeClient
  computeNode: Allocation['computeNode']
}

/** The compute node that a VM was put on, to be asked as its owner. */
export async function nodeOfVm(session: Session, hash: string): Promise<VmNode> {
  const client = await session.signer()
  const computeNode = (await client.getAllocation(hash, { signal: session.signal }))?.computeNode
  if (computeNode === undefined) {
    throw new CliError('not_allocated', `No compute node was assigned to ${hash}`, {
      exitCode: exitCodes.notFound,
      hint: `See what became of it: aleph message get ${hash}`,
    })
  }
  const node = new ComputeNodeClient(computeNode.url, { account: client.context.account! })
  return { node, computeNode }
}
