import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GuestError } from '../guest-error.ts'
import { type CpioEntry, encodeCpio } from './cpio.ts'
import { type DebianArchive, unpackPackages } from './debian.ts'
import { extractVmlinux } from './vmlinux.ts'

/** Modules that the agent needs by name; those they depend on come along. */
const wantedModules = ['virtio_mmio', 'virtio_blk', 'virtio_console', 'squashfs', 'overlay'] as const

/** What a machine with a vsock needs besides; no other loads them. */
const vsockModules = ['vmw_vsock_virtio_transport'] as const

/** Start-up work of the kernel that a guest of ours has no use for, a tenth of its start time when emulated. */
const skippedInitcalls = [
  'crypto_kdf108_init',
  'init_encrypted',
  'init_kprobe_trace',
  'init_trace_printk_function_export',
  'ksm_init',
  'load_system_certificate_list',
  'perf_event_sysfs_init',
]

/**
 * Arguments of every kernel. `console` is the VM's log; `panic=-1` and `reboot=t` end the VM at once when the
 * kernel dies. Mitigations guard tenants from each other, and a guest has one. `tscKhz` is the host's time
 * stamp counter: left to measure it on a busy host, an emulated kernel fails and then hangs.
 */
function commonArguments(tscKhz: number): string[] {
  return [
    'console=ttyS0',
    'quiet',
    'loglevel=1',
    'panic=-1',
    'reboot=t',
    'mitigations=off',
    'random.trust_cpu=on',
    'no_timer_check',
    'tsc=reliable',
    `tsc_early_khz=${tscKhz}`,
  ]
}

/** Arguments of Debian's kernel, which can do more than a guest has use for. */
export function kernelArguments(tscKhz: number): string {
  return [
    ...commonArguments(tscKhz),
    'psi=0',
    'lsm=',
    'cgroup_disable=memory',
    'nowatchdog',
    'cryptomgr.notests',
    `initcall_blacklist=${skippedInitcalls.join(',')}`,
  ].join(' ')
}

/** Arguments of the lean kernel, which has nothing to switch off but its look for a bus that is not there. */
export function leanKernelArguments(tscKhz: number): string {
  return [...commonArguments(tscKhz), 'pci=off'].join(' ')
}

/** Name of the virtio-serial port that carries the guest channel. */
export const channelPortName = 'aleph.channel'

async function findModules(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.name.endsWith('.ko'))
      found.set(entry.name.slice(0, -3).replaceAll('-', '_'), join(entry.parentPath, entry.name))
  return found
}

/**
 * Drops the signature at the end of a module. The initrd is trusted as a whole, and checking signatures is slow
 * without hardware virtualisation. A signature ends with its length (4 bytes) and a marker.
 */
function withoutSignature(module: Buffer): Buffer {
  const marker = '~Module signature appended~\n'
  const end = module.length - marker.length
  if (module.toString('latin1', end) !== marker) return module
  const descriptionBytes = 12
  return module.subarray(0, end - descriptionBytes - module.readUInt32BE(end - 4))
}

/** Module files in the order in which they load: each after all that it needs. */
export async function readModules(
  folder: string,
  wanted: readonly string[],
): Promise<{ name: string; data: Buffer }[]> {
  const files = await findModules(folder)
  const ordered = new Map<string, Buffer>()
  const visit = async (name: string): Promise<void> => {
    if (ordered.has(name)) return
    const path = files.get(name)
    if (path === undefined)
      throw new GuestError('image_build_failed', `The kernel package has no module ${name}`)
    const data = await readFile(path)
    const needs = /\0depends=([^\0]*)\0/.exec(data.toString('latin1'))?.[1] ?? ''
    for (const needed of needs.split(',').filter(Boolean)) await visit(needed.replaceAll('-', '_'))
    ordered.set(name, withoutSignature(data))
  }
  for (const name of wanted) await visit(name)
  return [...ordered].map(([name, data]) => ({ name: `${name}.ko`, data }))
}

/** Name of the package with Debian's present kernel for virtual machines. */
export async function kernelPackage(archive: DebianArchive): Promise<string> {
  const names = await archive.dependencies('linux-image-cloud-amd64')
  const name = names.find((candidate) => candidate.startsWith('linux-image-'))
  if (name !== undefined) return name
  throw new GuestError('image_download_failed', 'The Debian archive names no package linux-image-cloud-amd64')
}

/** What the agent loads, in this order. */
function moduleList(name: string, modules: { name: string }[]): CpioEntry {
  const data = Buffer.from(modules.map((module) => `${module.name}\n`).join(''))
  return { path: `modules/${name}`, kind: 'file', mode: 0o644, data }
}

/** Fetches the Debian cloud kernel and writes `vmlinux` (plain ELF) and `initrd` (agent and modules). */
export async function buildKernelAndInitrd(options: {
  archive: DebianArchive
  agent: Buffer
  workFolder: string
  kernel: string
  initrd: string
}): Promise<void> {
  const name = await kernelPackage(options.archive)
  const tree = join(options.workFolder, 'kernel')
  await unpackPackages(await options.archive.fetch([name]), tree)
  const boot = await readdir(join(tree, 'boot'))
  const image = boot.find((file) => file.startsWith('vmlinuz'))
  if (image === undefined) throw new GuestError('image_build_failed', `${name} holds no kernel`)
  await writeFile(options.kernel, extractVmlinux(await readFile(join(tree, 'boot', image))))

  const modules = await readModules(join(tree, 'lib/modules'), wantedModules)
  const withVsock = await readModules(join(tree, 'lib/modules'), [...wantedModules, ...vsockModules])
  const forVsock = withVsock.slice(modules.length)
  await writeInitrd(options.initrd, options.agent, [
    { path: 'modules', kind: 'directory' },
    ...withVsock.map((module) => ({
      path: `modules/${module.name}`,
      kind: 'file' as const,
      mode: 0o644,
      data: module.data,
    })),
    moduleList('order', modules),
    moduleList('vsock', forVsock),
  ])
}

/** Writes an initrd of the agent alone, which is all that a kernel without modules needs, and of `modules`. */
export async function writeInitrd(
  path: string,
  agent: Buffer,
  modules: readonly CpioEntry[] = [],
): Promise<void> {
  const entries: CpioEntry[] = [
    { path: 'dev', kind: 'directory' },
    { path: 'dev/console', kind: 'character-device', mode: 0o600, major: 5, minor: 1 },
    { path: 'init', kind: 'file', mode: 0o755, data: agent },
    ...modules,
  ]
  // Not compressed: at under 2 MB, unpacking would cost the guest more time than reading.
  await writeFile(path, encodeCpio(entries))
}
