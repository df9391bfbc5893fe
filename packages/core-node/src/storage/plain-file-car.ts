import { type Block, type Cid, carFramePrefix, carHeader, FileDag, type FileLeaf } from '@aleph-ts/protocol'

/**
 * A file that lies there as it is, as the CAR of the DAG that its bytes give: leaves first, in one pass.
 *
 * @param chunks the file, cut as the DAG cuts it
 */
export async function* fileAsCar(
  cid: Cid,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const made: Uint8Array[] = []
  const dag = new FileDag({
    cidVersion: cid.version,
    onLeaf: ({ cid: leaf, before, chunk, after }: FileLeaf) =>
      void made.push(carFramePrefix(leaf, before.length + chunk.length + after.length), before, chunk, after),
    onBlock: ({ cid: node, bytes }: Block) => void made.push(carFramePrefix(node, bytes.length), bytes),
  })
  yield carHeader([cid])
  for await (const chunk of chunks) {
    dag.update(chunk)
    yield* pieces(made)
  }
  const { cid: actual } = dag.finish()
  yield* pieces(made)
  if (!actual.equals(cid)) throw new Error(`the stored file ${cid} is damaged: its CID is ${actual}`)
}

/** Empty ones would end a stream. */
function* pieces(made: Uint8Array[]): Generator<Uint8Array> {
  for (const piece of made.splice(0)) if (piece.length > 0) yield piece
}
