import { mkdir, readFile, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { type HostTool, leanKernelTools, loadGuestImages, missingHostTools } from '@aleph-ts/guest'
import { pino } from 'pino'
import type { ComputeNodeConfig } from '../config.ts'
import { QemuHypervisor } from '../hypervisor/index.ts'
import { MachineCgroups } from '../hypervisor/qemu/cgroup.ts'
import { type Finding, fail, ok, warn } from './check.ts'

const GIB = 1024 ** 3
const MIB = 1024 ** 2
const LEAST_NODE = 24
const LEAST_DISK_BYTES = 10 * GIB

/** What the node runs besides itself. */
const tools: readonly HostTool[] = [
  { tool: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  { tool: 'qemu-img', package: 'qemu-utils' },
  { tool: 'mke2fs', package: 'e2fsprogs' },
  { tool: 'mksquashfs', package: 'squashfs-tools' },
  { tool: 'unsquashfs', package: 'squashfs-tools' },
  { tool: 'setpriv', package: 'util-linux' },
  { tool: 'tar', package: 'tar' },
]

export async function checkRuntime(): Promise<Finding> {
  const { node } = process.versions
  return Number.parseInt(node, 10) >= LEAST_NODE
    ? ok('Node.js', node)
    : fail('Node.js', `${node}; this node needs ${LEAST_NODE} or newer`)
}

export async function checkTools(): Promise<Finding> {
  const missing = await missingHostTools(tools)
  if (missing.length === 0) return ok('tools', tools.map(({ tool }) => tool).join(', '))
  const packages = [...new Set(missing.map((tool) => tool.package))].join(' ')
  const names = missing.map(({ tool }) => tool).join(', ')
  return fail('tools', `missing: ${names}; apt-get install ${packages}`)
}

/** Boots a guest, unless that was done before and nothing has changed since. */
export async function checkHypervisor(config: ComputeNodeConfig): Promise<Finding[]> {
  const { dataDir, guestImagesDir, guestKernel } = config
  const images = await loadGuestImages(guestImagesDir, guestKernel)
  if (!images) {
    const wanted = guestKernel === 'lean' ? 'none with a lean kernel' : 'none'
    return [
      fail(
        'guest images',
        `${wanted} for this version in ${guestImagesDir}; build them, or set ALEPH_VM_GUEST_IMAGES_DIR`,
      ),
    ]
  }
  const found = ok('guest images', `${images.key} in ${guestImagesDir}`)
  try {
    const log = pino({ level: 'silent' })
    await mkdir(join(dataDir, 'supervisor'), { recursive: true })
    const hypervisor = await QemuHypervisor.create({ dataDir: join(dataDir, 'supervisor'), images, log })
    const { version, accelerator, acceleratorReason, probeBootMs } = await hypervisor.probe()
    const booted = `QEMU ${version}, a guest booted in ${probeBootMs} ms under ${accelerator}`
    return [
      found,
      accelerator === 'kvm'
        ? ok('hypervisor', booted)
        : warn('hypervisor', `${booted}: slow, as guests are emulated in software (${acceleratorReason})`),
      ...(accelerator === 'tcg' && guestKernel === 'debian' ? [await leanKernelAdvice()] : []),
    ]
  } catch (error) {
    return [found, fail('hypervisor', (error as Error).message)]
  }
}

async function leanKernelAdvice(): Promise<Finding> {
  const advice =
    'emulated programs start faster with ALEPH_VM_GUEST_KERNEL=lean, and images built with that kernel'
  const packages = [...new Set((await missingHostTools(leanKernelTools)).map((tool) => tool.package))]
  const needed = packages.length === 0 ? '' : `; compiling it needs: apt-get install ${packages.join(' ')}`
  return warn('guest kernel', `Debian's; ${advice}${needed}`)
}

export async function checkDisk({ dataDir, limits }: ComputeNodeConfig): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestFolder(dataDir))
  const free = bavail * bsize
  const text = `${gib(free)} free for ${dataDir}`
  if (free < LEAST_DISK_BYTES) return fail('disk', `${text}; at least ${gib(LEAST_DISK_BYTES)} are needed`)
  const caches = 2 * limits.cacheBytes + limits.templateBytes
  return free < caches
    ? warn(
        'disk',
        `${text}, less than its caches may take (${gib(caches)}); lower ALEPH_VM_CACHE_MB or ALEPH_VM_TEMPLATES_MB`,
      )
    : ok('disk', text)
}

export async function checkMemory({ limits }: ComputeNodeConfig): Promise<Finding> {
  const total = totalmem()
  const wanted = (limits.memoryMiB ?? Math.floor((total / MIB) * 0.8)) * MIB
  const text = `${gib(wanted)} of ${gib(total)} for VMs`
  return wanted > total ? fail('memory', `${text}; lower ALEPH_VM_MEMORY_MB`) : ok('memory', text)
}

/** Whether the node's port is free, or answered by a compute node already. */
export async function checkPort({ host, port }: ComputeNodeConfig): Promise<Finding> {
  const problem = await bindProblem(host, port)
  if (problem === null) return ok('port', `${host}:${port} is free`)
  if (problem !== 'EADDRINUSE') return fail('port', `cannot listen on ${host}:${port} (${problem})`)
  const server = await fetch(`http://${host.includes(':') ? `[${host}]` : host}:${port}/`).then(
    ({ headers }) => headers.get('server') ?? '',
    () => '',
  )
  return server.startsWith('aleph-vm/')
    ? ok('port', `a compute node (${server}) answers on ${host}:${port}`)
    : fail('port', `something else listens on ${host}:${port}; set ALEPH_VM_SUPERVISOR_PORT`)
}

export async function checkForwarding(config: ComputeNodeConfig): Promise<Finding> {
  if (config.forwardHost === null && config.network.mode === 'tap') {
    return ok('forwarded ports', "on the uplink's address")
  }
  const forwardHost = config.forwardHost ?? '127.0.0.1'
  const problem = await bindProblem(forwardHost, 0)
  if (problem !== null)
    return fail('forwarded ports', `${forwardHost} is no address of this host (${problem})`)
  return forwardHost.startsWith('127.')
    ? warn(
        'forwarded ports',
        `${forwardHost}: instances are reached from this host alone; set ALEPH_VM_FORWARD_HOST`,
      )
    : ok('forwarded ports', `on ${forwardHost}`)
}

/** The node's own key must be nobody else's to read. */
export async function checkKey({ dataDir }: ComputeNodeConfig): Promise<Finding> {
  const path = join(dataDir, 'state/node-key')
  const text = await readFile(path, 'utf8').catch(() => null)
  if (text === null) return ok('key', `made at the first start, as ${path}`)
  if (!/^[0-9a-f]{64}$/.test(text.trim()))
    return fail('key', `${path} is damaged; bring it back or remove it`)
  const { mode } = await stat(path)
  return (mode & 0o077) === 0 ? ok('key', path) : fail('key', `others can read ${path}; chmod 600 ${path}`)
}

export async function checkIsolation({ cgroup }: ComputeNodeConfig): Promise<Finding[]> {
  const user =
    process.getuid?.() === 0
      ? ok('users', 'every VM runs as a user of its own')
      : warn('users', 'every VM runs as the user of this node; run it as root for users of their own')
  if (cgroup === null)
    return [user, warn('cgroup', 'none: VMs share processor and memory freely; see ALEPH_VM_CGROUP')]
  try {
    await MachineCgroups.open(cgroup)
    return [user, ok('cgroup', `limits of VMs in ${cgroup}`)]
  } catch (error) {
    return [user, fail('cgroup', (error as Error).message)]
  }
}

function bindProblem(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen(port, host, () => server.close(() => resolve(null)))
  })
}

async function nearestFolder(path: string): Promise<string> {
  return stat(path).then(
    () => path,
    () => nearestFolder(dirname(path)),
  )
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`
}
