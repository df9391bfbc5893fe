import { messageProof, messageTree, parseEnvelope, readBatchArchive, type TreeNode } from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import type { CoreNodeContext } from '../context.ts'
import { ApiError } from './api-error.ts'

/** Trees of batches kept for further questions; one of 10,000 messages takes about 2 MB. */
const mostTrees = 8

/** Proofs, for contracts, that a chain confirmed a message. */
export function proofRoutes({ pool, fileStore, profile }: CoreNodeContext) {
  const trees = new Map<string, TreeNode[]>()

  async function treeOf(archive: string): Promise<TreeNode[] | undefined> {
    const known = trees.get(archive)
    if (known) return known
    const bytes = await fileStore.readBytes(archive)
    if (!bytes) return undefined
    const messages = readBatchArchive(new TextDecoder().decode(bytes)).map(parseEnvelope)
    const tree = messageTree(messages)
    trees.set(archive, tree)
    if (trees.size > mostTrees) trees.delete(trees.keys().next().value!)
    return tree
  }

  return async (server: FastifyInstance): Promise<void> => {
    /**
     * The way from a message to the root of each batch that holds it, newest confirmation last. `AlephProofs` checks
     * it on chain, where a batch's emitter committed its root.
     */
    server.get<{ Params: { hash: string } }>('/api/v1/messages/:hash/proof', async (request) => {
      const { hash } = request.params
      const { rows } = await pool.query<{
        archive: string
        tx_hash: string
        chain: string
        height: bigint
        time: number
        publisher: string
        message: { item_hash: string; chain: 'ETH'; sender: string; type: 'POST' }
      }>(
        `select t.content #>> '{}' as archive, t.hash as tx_hash, t.chain, t.height, t.publisher,
           extract(epoch from t.datetime)::float8 as time,
           json_build_object('item_hash', m.item_hash, 'chain', m.chain, 'sender', m.sender, 'type', m.type) as message
         from message_confirmations c join chain_txs t on t.hash = c.tx_hash
         join messages m on m.item_hash = c.item_hash
         where c.item_hash = $1 and t.protocol = 'aleph-offchain' order by t.height, t.hash limit 100`,
        [hash],
      )
      const proofs = []
      for (const row of rows) {
        const tree = await treeOf(row.archive)
        const proof = tree && messageProof(tree, row.message)
        if (!proof) continue
        proofs.push({
          root: tree[0],
          proof,
          chain: row.chain,
          contract: profile.syncContract?.contract ?? null,
          emitter: row.publisher,
          tx_hash: row.tx_hash,
          height: Number(row.height),
          time: row.time,
        })
      }
      if (proofs.length === 0) {
        throw new ApiError(404, 'proof_not_found', `No batch on a chain holds the message ${hash} (yet)`)
      }
      return { message: rows[0]!.message, proofs }
    })
  }
}
