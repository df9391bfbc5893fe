import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { GuestError } from '../guest-error.ts'

/** A program or file that image building needs on the host, and the Debian package that brings it. */
export interface HostTool {
  /** Name of a command on the PATH, or an absolute path of a file. */
  tool: string
  package: string
}

/** What must be installed to build guest images. A bootstrap script installs `package` of each. */
export const requiredHostTools: readonly HostTool[] = [
  { tool: 'gcc', package: 'gcc' },
  { tool: '/usr/include/stdio.h', package: 'libc6-dev' },
  { tool: 'mksquashfs', package: 'squashfs-tools' },
  { tool: 'dpkg-deb', package: 'dpkg' },
  { tool: 'apt-get', package: 'apt' },
  { tool: '/usr/share/keyrings/debian-archive-keyring.gpg', package: 'debian-archive-keyring' },
]

/** What compiling the lean kernel needs besides. */
export const leanKernelTools: readonly HostTool[] = [
  { tool: 'make', package: 'make' },
  { tool: 'flex', package: 'flex' },
  { tool: 'bison', package: 'bison' },
  { tool: 'bc', package: 'bc' },
  { tool: 'xz', package: 'xz-utils' },
]

/** What must be installed to build the instance image. */
export const instanceHostTools: readonly HostTool[] = [
  ...requiredHostTools.filter(({ tool }) => !tool.startsWith('/usr/include') && tool !== 'gcc'),
  { tool: '/usr/sbin/mke2fs', package: 'e2fsprogs' },
  { tool: 'qemu-img', package: 'qemu-utils' },
]

async function isPresent(tool: string): Promise<boolean> {
  const candidates = tool.startsWith('/')
    ? [tool]
    : [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin'].map((folder) =>
        join(folder, tool),
      )
  for (const path of candidates) {
    try {
      await access(path, tool.startsWith('/') ? constants.R_OK : constants.X_OK)
      return true
    } catch {
      // Not there: the next folder may have it.
    }
  }
  return false
}

/** Those of the tools that this host lacks; by default of all that image building needs. */
export async function missingHostTools(tools: readonly HostTool[] = requiredHostTools): Promise<HostTool[]> {
  const present = await Promise.all(tools.map(({ tool }) => isPresent(tool)))
  return tools.filter((_, index) => !present[index])
}

/** Throws `host_tool_missing` with the command to type when a tool is not installed. */
export async function assertHostTools(tools: readonly HostTool[] = requiredHostTools): Promise<void> {
  const missing = await missingHostTools(tools)
  if (missing.length === 0) return
  const names = missing.map(({ tool }) => tool).join(', ')
  const packages = [...new Set(missing.map((tool) => tool.package))].join(' ')
  throw new GuestError(
    'host_tool_missing',
    `Guest images cannot be built, missing: ${names}. Install with: apt-get install -y --no-install-recommends ${packages}`,
  )
}
