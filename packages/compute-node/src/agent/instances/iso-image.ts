const SECTOR = 2048
const FIRST_SECTOR = 16
const PATH_TABLE_BYTES = 10

/** One small file of an image, in its root folder. */
export interface IsoFile {
  name: string
  content: string
}

/**
 * An ISO 9660 image with a volume label and files in one folder, their real names in Rock Ridge entries: what
 * NoCloud seeds are read from. Small files only; names of at most 200 characters.
 */
export function isoImage(label: string, files: readonly IsoFile[]): Buffer {
  const root = FIRST_SECTOR + 4
  const contents = files.map(({ content }) => Buffer.from(content))
  let next = root + 1
  const places = contents.map((content) => {
    const place = next
    next += Math.max(1, Math.ceil(content.length / SECTOR))
    return place
  })
  const image = Buffer.alloc(next * SECTOR)
  writeVolumeDescriptor(image, label, { sectors: next, root })
  image.write('\xffCD001\x01', (FIRST_SECTOR + 1) * SECTOR, 'latin1')
  writePathTable(image, root)
  const records = [
    // The first entry of the root tells that system use entries follow ("SP").
    directoryRecord('\0', root, SECTOR, true, [systemUse('SP', [0xbe, 0xef, 0]), posixEntry(true)]),
    directoryRecord('\x01', root, SECTOR, true, [posixEntry(true)]),
    ...files.map(({ name }, index) =>
      directoryRecord(isoName(index), places[index] as number, contents[index]?.length ?? 0, false, [
        systemUse('NM', [0, ...Buffer.from(name)]),
        posixEntry(false),
      ]),
    ),
  ]
  const folder = Buffer.concat(records)
  if (folder.length > SECTOR) throw new RangeError('iso image: too many files for one folder sector')
  folder.copy(image, root * SECTOR)
  for (const [index, content] of contents.entries()) content.copy(image, (places[index] as number) * SECTOR)
  return image
}

function writeVolumeDescriptor(image: Buffer, label: string, size: { sectors: number; root: number }): void {
  const at = FIRST_SECTOR * SECTOR
  image.write('\x01CD001\x01', at, 'latin1')
  image.fill(' ', at + 8, at + 72)
  image.write(label, at + 40, 32, 'latin1')
  writeBoth32(image, size.sectors, at + 80)
  writeBoth16(image, 1, at + 120)
  writeBoth16(image, 1, at + 124)
  writeBoth16(image, SECTOR, at + 128)
  writeBoth32(image, PATH_TABLE_BYTES, at + 132)
  image.writeUInt32LE(FIRST_SECTOR + 2, at + 140)
  image.writeUInt32BE(FIRST_SECTOR + 3, at + 148)
  directoryRecord('\0', size.root, SECTOR, true, []).copy(image, at + 156)
  // Names of publisher and so on are blank, times are zero.
  image.fill(' ', at + 190, at + 813)
  for (let field = 0; field < 4; field++) image.write('0'.repeat(16), at + 813 + field * 17, 'latin1')
  image.writeUInt8(1, at + 881)
}

/** The one folder, in both byte orders. */
function writePathTable(image: Buffer, root: number): void {
  const little = (FIRST_SECTOR + 2) * SECTOR
  const big = (FIRST_SECTOR + 3) * SECTOR
  for (const at of [little, big]) image.writeUInt8(1, at)
  image.writeUInt32LE(root, little + 2)
  image.writeUInt32BE(root, big + 2)
  image.writeUInt16LE(1, little + 6)
  image.writeUInt16BE(1, big + 6)
}

function directoryRecord(
  name: string,
  sector: number,
  length: number,
  isFolder: boolean,
  systemUses: Buffer[],
): Buffer {
  const base = 33 + name.length + ((33 + name.length) % 2)
  const extra = Buffer.concat(systemUses)
  const record = Buffer.alloc(base + extra.length + (extra.length % 2))
  record.writeUInt8(record.length, 0)
  writeBoth32(record, sector, 2)
  writeBoth32(record, length, 10)
  record.writeUInt8(isFolder ? 2 : 0, 25)
  writeBoth16(record, 1, 28)
  record.writeUInt8(name.length, 32)
  record.write(name, 33, 'latin1')
  extra.copy(record, base)
  return record
}

/** Names every reader takes; the real one is in the Rock Ridge entry. */
function isoName(index: number): string {
  return `FILE${String(index).padStart(4, '0')}.;1`
}

function systemUse(signature: string, data: number[]): Buffer {
  return Buffer.concat([
    Buffer.from(signature, 'latin1'),
    Buffer.from([data.length + 4, 1]),
    Buffer.from(data),
  ])
}

/** Mode, links, owner: readable by all, the superuser's. */
function posixEntry(isFolder: boolean): Buffer {
  const fields = Buffer.alloc(32)
  writeBoth32(fields, isFolder ? 0o040555 : 0o100444, 0)
  writeBoth32(fields, 1, 8)
  return systemUse('PX', [...fields])
}

function writeBoth32(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value, at)
  buffer.writeUInt32BE(value, at + 4)
}

function writeBoth16(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt16LE(value, at)
  buffer.writeUInt16BE(value, at + 2)
}
