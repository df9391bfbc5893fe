/** One entry of a cpio archive. Parents must come before their children. */
export type CpioEntry =
  | { path: string; kind: 'directory' }
  | { path: string; kind: 'file'; mode: number; data: Uint8Array }
  | { path: string; kind: 'character-device'; mode: number; major: number; minor: number }

const typeBits = { directory: 0o040000, file: 0o100000, 'character-device': 0o020000 }

function field(value: number): string {
  return value.toString(16).padStart(8, '0').toUpperCase()
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}

function encodeEntry(entry: CpioEntry, inode: number): Buffer {
  const mode = typeBits[entry.kind] | (entry.kind === 'directory' ? 0o755 : entry.mode)
  const data = entry.kind === 'file' ? entry.data : new Uint8Array()
  const [major, minor] = entry.kind === 'character-device' ? [entry.major, entry.minor] : [0, 0]
  const name = Buffer.from(`${entry.path}\0`)
  // magic, inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name size, checksum
  const numbers = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length, 0]
  const header = Buffer.from(`070701${numbers.map(field).join('')}`)
  return Buffer.concat([padded(Buffer.concat([header, name])), padded(Buffer.from(data))])
}

/** Writes a cpio archive ("newc"), the form of an initrd; equal entries give equal bytes. */
export function encodeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.map((entry, index) => encodeEntry(entry, index + 1))
  const trailer = encodeEntry({ path: 'TRAILER!!!', kind: 'file', mode: 0, data: new Uint8Array() }, 0)
  return Buffer.concat([...parts, trailer])
}
