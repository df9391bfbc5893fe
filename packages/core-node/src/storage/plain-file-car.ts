import { type Block, type Cid, carFramePrefix, carHeader, FileDag } from '@aleph-ts/protocol'

/** A file that lies there as it is, as the CAR of the DAG that its bytes give: leaves first, in one pass. */
export async function* fileAsCar(
  cid: Cid,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  const made: Block[] = []
  const dag = new FileDag({ cidVersion: cid.version, onBlock: (block) => void made.push(block) })
  yield carHeader([cid])
  for await (const chunk of bytes) {
    dag.update(chunk)
    yield* frames(made)
  }
  const { cid: actual } = dag.finish()
  yield* frames(made)
  if (!actual.equals(cid)) throw new Error(`the stored file ${cid} is damaged: its CID is ${actual}`)
}

function* frames(blocks: Block[]): Generator<Uint8Array, void> {
  for (const { cid, bytes } of blocks) {
    yield carFramePrefix(cid, bytes.length)
    yield bytes
  }
  blocks.length = 0
}
