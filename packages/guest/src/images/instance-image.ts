import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeBootDisk } from './boot-disk.ts'
import { buildLock, withLock } from './build-lock.ts'
import { type CpioEntry, encodeCpio } from './cpio.ts'
import { openDebianArchive, unpackPackages } from './debian.ts'
import { assertHostTools, instanceHostTools } from './host-tools.ts'
import { kernelPackage, readModules } from './kernel.ts'
import { pruneCache } from './prune-cache.ts'
import { runCommand } from './run-command.ts'
import { pruned } from './runtime-image.ts'

/** A disk image that boots by itself. */
export interface InstanceImage {
  /** The qcow2 file. */
  path: string
  sha256: string
  /** Bytes. */
  size: number
}

const scriptsFolder = fileURLToPath(new URL('../../instance/', import.meta.url))
const imagesFolder = fileURLToPath(new URL('./', import.meta.url))
/** The size the image is made at; instances grow it to theirs at boot. */
const sizeMiB = 512

const systemPackages = [
  ...['libc6', 'libgcc-s1', 'busybox-static', 'bash', 'libtinfo6', 'ca-certificates'],
  ...['openssh-server', 'openssh-sftp-server', 'openssh-client', 'libcrypt1', 'libwrap0', 'libnsl2'],
  ...['libtirpc3', 'libaudit1', 'libpam0g', 'libsystemd0', 'libselinux1', 'libgssapi-krb5-2', 'libkrb5-3'],
  ...['libcom-err2', 'libssl3', 'zlib1g', 'libcap-ng0', 'libcap2', 'libgcrypt20', 'liblzma5', 'libzstd1'],
  ...['liblz4-1', 'libpcre2-8-0', 'libk5crypto3', 'libkrb5support0', 'libkeyutils1', 'libgpg-error0'],
  ...['e2fsprogs', 'libext2fs2', 'libss2', 'libblkid1', 'libuuid1'],
]
const loaderPackages = [
  ...['grub-common', 'grub-pc-bin', 'libc6', 'liblzma5', 'libdevmapper1.02.1', 'libselinux1', 'libudev1'],
  'libpcre2-8-0',
]
const modules = ['virtio_pci', 'virtio_blk', 'virtio_net', 'isofs', 'button', 'evdev', 'virtio_rng']

const kernelArguments = 'root=/dev/vda1 console=ttyS0 quiet loglevel=3 panic=10 mitigations=auto'

const accountFiles = {
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/bash\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  'etc/group': 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n',
  'etc/shadow': 'root:*:19000:0:99999:7:::\nsshd:!:19000::::::\nnobody:*:19000::::::\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  'etc/profile': 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin\nexport LANG=C.UTF-8\n',
  'etc/acpi/PWRF/00000080': '#!/bin/sh\nexec poweroff\n',
}

/**
 * Builds a small Debian system with OpenSSH that takes its owner's keys from a NoCloud seed, or returns at once
 * what an earlier call built. Needs no root. Throws as `buildGuestImages` does.
 */
export async function buildInstanceImage(options: {
  cacheDir: string
  onProgress?: (step: string) => void
}): Promise<InstanceImage> {
  const cacheDir = resolve(options.cacheDir)
  const path = join(cacheDir, `instance-${await inputKey()}.qcow2`)
  const ready = await describe(path)
  if (ready) return ready
  await assertHostTools(instanceHostTools)
  await mkdir(cacheDir, { recursive: true })
  return withLock(buildLock(cacheDir), async () => {
    const builtMeanwhile = await describe(path)
    if (builtMeanwhile) return builtMeanwhile
    const workFolder = join(cacheDir, 'instance.partial')
    await rm(workFolder, { recursive: true, force: true })
    await mkdir(workFolder)
    try {
      await build(cacheDir, workFolder, path, options.onProgress ?? (() => {}))
      await pruneCache(cacheDir, basename(path), (name) => /^instance-[0-9a-f]{16}\.qcow2$/.test(name))
    } finally {
      await rm(workFolder, { recursive: true, force: true })
    }
    return (await describe(path)) as InstanceImage
  })
}

async function build(
  cacheDir: string,
  workFolder: string,
  output: string,
  onProgress: (step: string) => void,
): Promise<void> {
  onProgress('reading the Debian package lists')
  const archive = await openDebianArchive(join(cacheDir, 'debian'))
  onProgress('fetching and unpacking the system')
  const [root, grub, kernel] = ['root', 'grub', 'kernel'].map((name) => join(workFolder, name)) as [
    string,
    string,
    string,
  ]
  await unpackPackages(await archive.fetch(systemPackages), root)
  await unpackPackages(await archive.fetch(loaderPackages), grub)
  await unpackPackages(await archive.fetch([await kernelPackage(archive)]), kernel)
  await furnish(root)
  await addKernel(root, kernel)
  onProgress('writing the disk')
  const raw = join(workFolder, 'disk.raw')
  await makeBootDisk({ root, grub, kernelArguments, sizeMiB, workFolder, output: raw })
  if (process.getuid?.() !== 0) await ownByRoot(raw, root, workFolder)
  const packed = join(workFolder, 'disk.qcow2')
  await runCommand('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', '-c', raw, packed])
  await rename(packed, output)
}

/** Turns unpacked packages into a system that boots. */
async function furnish(root: string): Promise<void> {
  for (const path of pruned.filter((path) => path !== 'usr/sbin')) {
    await rm(join(root, path), { recursive: true, force: true })
  }
  for (const folder of [
    'dev',
    'proc',
    'sys',
    'run',
    'tmp',
    'mnt',
    'root',
    'boot',
    'usr/lib/aleph',
    'etc/acpi/PWRF',
    'var/log',
    'var/empty',
  ]) {
    await mkdir(join(root, folder), { recursive: true })
  }
  for (const [path, text] of Object.entries(accountFiles)) await writeFile(join(root, path), text)
  await chmod(join(root, 'etc/acpi/PWRF/00000080'), 0o755)
  await chmod(join(root, 'etc/shadow'), 0o600)
  await chmod(join(root, 'root'), 0o700)
  const busybox = join(root, 'usr/bin/busybox')
  const applets = (await runCommand(busybox, ['--list'])).split('\n').filter(Boolean)
  for (const applet of applets) {
    const taken = await Promise.all([
      isThere(join(root, 'usr/bin', applet)),
      isThere(join(root, 'usr/sbin', applet)),
    ])
    if (!taken.includes(true)) await symlink('busybox', join(root, 'usr/bin', applet))
  }
  await rm(join(root, 'usr/sbin/init'), { force: true })
  await symlink('../bin/busybox', join(root, 'usr/sbin/init'))
  for (const script of ['boot.sh', 'seed.sh', 'network.sh', 'dhcp.sh']) {
    await copyFile(join(scriptsFolder, script), join(root, 'usr/lib/aleph', script))
    await chmod(join(root, 'usr/lib/aleph', script), 0o755)
  }
  await copyFile(join(scriptsFolder, 'inittab'), join(root, 'etc/inittab'))
  await copyFile(join(scriptsFolder, 'sshd_config'), join(root, 'etc/ssh/sshd_config'))
}

async function addKernel(root: string, kernel: string): Promise<void> {
  const image = (await readdir(join(kernel, 'boot'))).find((name) => name.startsWith('vmlinuz'))
  await copyFile(join(kernel, 'boot', image ?? 'vmlinuz'), join(root, 'boot/vmlinuz'))
  const files = await readModules(join(kernel, 'lib/modules'), modules)
  const entries: CpioEntry[] = [
    { path: 'dev', kind: 'directory' },
    { path: 'dev/console', kind: 'character-device', mode: 0o600, major: 5, minor: 1 },
    { path: 'bin', kind: 'directory' },
    { path: 'modules', kind: 'directory' },
    { path: 'bin/busybox', kind: 'file', mode: 0o755, data: await readFile(join(root, 'usr/bin/busybox')) },
    { path: 'init', kind: 'file', mode: 0o755, data: await readFile(join(scriptsFolder, 'initrd-init.sh')) },
    ...files.map(({ name, data }) => ({ path: `modules/${name}`, kind: 'file' as const, mode: 0o644, data })),
    {
      path: 'modules/order',
      kind: 'file',
      mode: 0o644,
      data: Buffer.from(files.map(({ name }) => `${name}\n`).join('')),
    },
  ]
  await writeFile(join(root, 'boot/initrd'), encodeCpio(entries))
}

/** Whoever builds, in the image everything belongs to the superuser. */
async function ownByRoot(disk: string, root: string, workFolder: string): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const commands = entries.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name).slice(root.length)
    return [`sif "${path}" uid 0`, `sif "${path}" gid 0`]
  })
  const script = join(workFolder, 'owners')
  await writeFile(script, `${commands.join('\n')}\n`)
  await runCommand('/usr/sbin/debugfs', ['-w', '-f', script, `${disk}?offset=1048576`])
}

async function describe(path: string): Promise<InstanceImage | null> {
  if (!(await isThere(path))) return null
  const digest = createHash('sha256')
  for await (const chunk of createReadStream(path)) digest.update(chunk)
  return { path, sha256: digest.digest('hex'), size: (await stat(path)).size }
}

/** A digest of everything of ours that the image depends on. */
async function inputKey(): Promise<string> {
  const digest = createHash('sha256')
  const sources = ['boot-disk.ts', 'instance-image.ts', 'kernel.ts'].map((name) => join(imagesFolder, name))
  const scripts = (await readdir(scriptsFolder)).sort().map((name) => join(scriptsFolder, name))
  for (const path of [...sources, ...scripts]) digest.update(await readFile(path))
  return digest.digest('hex').slice(0, 16)
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
