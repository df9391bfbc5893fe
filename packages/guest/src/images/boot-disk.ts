import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GuestError } from '../guest-error.ts'
import { runCommand } from './run-command.ts'

const sector = 512
const mib = 1024 * 1024
/** Where the only partition begins; the boot loader lies in front of it. */
const partitionStart = mib
const linuxPartition = 0x83

/** What the loader needs to read a kernel from an ext4 partition and to start it. */
const loaderModules = ['biosdisk', 'part_msdos', 'ext2', 'linux', 'boot']

export interface BootDisk {
  /** Folder with the root file system: `/boot/vmlinuz` and `/boot/initrd` are started. */
  root: string
  /** Tree of the unpacked packages grub-common and grub-pc-bin. */
  grub: string
  kernelArguments: string
  sizeMiB: number
  workFolder: string
  /** The raw disk image. */
  output: string
}

/** Makes a disk that a BIOS boots, without root and without mounting anything: GRUB in front of one ext4 partition. */
export async function makeBootDisk(disk: BootDisk): Promise<void> {
  const bytes = disk.sizeMiB * mib
  await writeFile(disk.output, '')
  const file = await open(disk.output, 'r+')
  try {
    await file.truncate(bytes)
    const options = [`offset=${partitionStart}`, 'root_owner=0:0', 'lazy_itable_init=1', 'nodiscard']
    const blocks = `${(bytes - partitionStart) / 1024}k`
    await runCommand('/usr/sbin/mke2fs', [
      '-q',
      '-F',
      '-t',
      'ext4',
      '-L',
      'root',
      '-m',
      '1',
      '-E',
      options.join(','),
      '-d',
      disk.root,
      disk.output,
      blocks,
    ])
    const loader = await makeLoader(disk)
    await file.write(loader, 0, loader.length, sector)
    const boot = await masterBootRecord(disk.grub, (bytes - partitionStart) / sector)
    await file.write(boot, 0, sector, 0)
  } finally {
    await file.close()
  }
}

/** The loader's second stage, which the first finds in the sectors right behind it. */
async function makeLoader({ grub, kernelArguments, workFolder }: BootDisk): Promise<Buffer> {
  const config = join(workFolder, 'grub.cfg')
  const output = join(workFolder, 'core.img')
  await writeFile(
    config,
    [
      `linux (hd0,msdos1)/boot/vmlinuz ${kernelArguments}`,
      'initrd (hd0,msdos1)/boot/initrd',
      'boot',
      '',
    ].join('\n'),
  )
  const modules = join(grub, 'usr/lib/grub/i386-pc')
  const libraries = join(grub, 'usr/lib/x86_64-linux-gnu')
  const prefix = ['-O', 'i386-pc', '-d', modules, '-p', '(hd0,msdos1)/boot', '-c', config, '-o', output]
  await runCommand(join(libraries, 'ld-linux-x86-64.so.2'), [
    '--library-path',
    libraries,
    join(grub, 'usr/bin/grub-mkimage'),
    ...prefix,
    ...loaderModules,
  ])
  const loader = await readFile(output)
  if (loader.length > partitionStart - sector)
    throw new GuestError('image_build_failed', `The boot loader is too large (${loader.length} bytes)`)
  return loader
}

/** The first sector: GRUB's first stage, and the table with the one partition. */
async function masterBootRecord(grub: string, sectors: number): Promise<Buffer> {
  const boot = Buffer.from(await readFile(join(grub, 'usr/lib/grub/i386-pc/boot.img')))
  const tableOffset = 446
  boot.fill(0, 440, 510)
  boot.writeUInt8(0x80, tableOffset)
  boot.writeUInt8(linuxPartition, tableOffset + 4)
  boot.writeUInt32LE(partitionStart / sector, tableOffset + 8)
  boot.writeUInt32LE(sectors, tableOffset + 12)
  boot.writeUInt16LE(0xaa55, 510)
  return boot
}
