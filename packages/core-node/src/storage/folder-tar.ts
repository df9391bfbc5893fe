import { Readable } from 'node:stream'
import { createTarPacker, type TarHeader, type TarPackController } from 'modern-tar'
import type { FileStore } from './file-store.ts'

/** The same folder always makes the same archive. */
const mtime = new Date(0)

/** A stored folder as a tar archive in which everything lies below its CID, as Kubo's `get` gives it. */
export function folderAsTar(fileStore: Pick<FileStore, 'walk'>, cid: string): Readable {
  const { readable, controller } = createTarPacker()
  pack(fileStore, cid, controller).catch((error) => controller.error(error))
  return Readable.fromWeb(readable)
}

async function pack(
  fileStore: Pick<FileStore, 'walk'>,
  cid: string,
  controller: TarPackController,
): Promise<void> {
  for await (const { path, kind, size, target, read } of fileStore.walk(cid)) {
    const name = path === '' ? cid : `${cid}/${path}`
    const headers: Record<typeof kind, TarHeader> = {
      directory: { name: `${name}/`, type: 'directory', size: 0, mtime },
      symlink: { name, type: 'symlink', linkname: target ?? '', size: 0, mtime },
      file: { name, size, mtime },
    }
    const body = controller.add(headers[kind]).getWriter()
    if (kind === 'file') for await (const chunk of read()) await body.write(chunk)
    await body.close()
  }
  controller.finalize()
}
