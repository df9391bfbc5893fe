import { open, rename } from 'node:fs/promises'

let counter = 0

/** Replaces a small file so that a crash leaves either the old or the new content, whole and on disk. */
export async function writeFileAtomically(path: string, content: string): Promise<void> {
  const part = `${path}.${process.pid}.${++counter}.part`
  const file = await open(part, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(part, path)
}
