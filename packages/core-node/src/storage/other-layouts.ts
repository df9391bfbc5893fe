import { type Block, type Cid, FileDag, type FileLayout, otherLayouts } from '@aleph-ts/protocol'
import { DagArchiveWriter, type FileStat } from './dag-archive.ts'
import type { Draft } from './draft.ts'

const pieceBytes = 1024 * 1024

/**
 * Writes a file that was streamed in as the DAG that a CID names, when one of the less usual layouts gives it.
 *
 * @param plain the bytes as they are
 * @param archive where the blocks go
 * @returns undefined when the CID is none of these bytes', as far as we know
 */
export async function writeInOtherLayout(
  archive: Draft,
  plain: Draft,
  root: Cid,
): Promise<FileStat | undefined> {
  for (const layout of otherLayouts(root.version)) {
    if (await isGivenBy(layout, plain, root)) return writeDag(archive, plain, root, layout)
  }
}

async function isGivenBy(layout: FileLayout, plain: Draft, root: Cid): Promise<boolean> {
  const dag = new FileDag({ cidVersion: root.version, layout })
  for await (const piece of pieces(plain)) dag.update(piece)
  return dag.finish().cid.equals(root)
}

async function writeDag(archive: Draft, plain: Draft, root: Cid, layout: FileLayout): Promise<FileStat> {
  const writer = new DagArchiveWriter(archive)
  await writer.begin(root)
  const made: Block[] = []
  const dag = new FileDag({ cidVersion: root.version, layout, onBlock: (block) => void made.push(block) })
  for await (const piece of pieces(plain)) {
    dag.update(piece)
    for (const block of made.splice(0)) await writer.add(block)
  }
  dag.finish()
  for (const block of made.splice(0)) await writer.add(block)
  return writer.finish(root)
}

async function* pieces(plain: Draft): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < plain.size; at += pieceBytes) {
    yield await plain.read(at, Math.min(pieceBytes, plain.size - at))
  }
}
