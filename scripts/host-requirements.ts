import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { type HostTool, instanceHostTools, missingHostTools, requiredHostTools } from '@aleph-ts/guest'

const hypervisor: HostTool = { tool: 'qemu-system-x86_64', package: 'qemu-system-x86' }

/** What connects instances by taps; only root can. */
const tapTools: readonly HostTool[] =
  process.getuid?.() === 0
    ? [
        { tool: 'ip', package: 'iproute2' },
        { tool: 'nft', package: 'nftables' },
      ]
    : []

/** What only tests use: they log into the instances they start. */
export const testTools: readonly HostTool[] = [
  { tool: 'ssh', package: 'openssh-client' },
  { tool: 'ssh-keygen', package: 'openssh-client' },
  { tool: 'tar', package: 'tar' },
]

/**
 * What the machine itself must have: the hypervisor, and the tools that build guest images.
 * Installs what is missing when it can (root on Debian), else says exactly what to type.
 *
 * @returns false when something is missing and could not be brought
 */
export async function hostRequirements(more: readonly HostTool[] = []): Promise<boolean> {
  const missing = await missingHostTools([
    hypervisor,
    ...requiredHostTools,
    ...instanceHostTools,
    ...tapTools,
    ...more,
  ])
  if (missing.length === 0) return true

  const packages = [...new Set(missing.map((each) => each.package))]
  const install = ['install', '-y', '--no-install-recommends', ...packages]
  console.error(`▸ Missing on this machine: ${missing.map((each) => each.tool).join(', ')}`)
  if (process.getuid?.() !== 0 || missing.some((each) => each.tool === 'apt-get')) {
    console.error(
      `✗ Install it, then run again:\n\n    sudo apt-get update && sudo apt-get ${install.join(' ')}\n`,
    )
    return false
  }
  console.error(`  installing ${packages.join(', ')} with apt …`)
  const started = Date.now()
  if (!apt(['update', '-qq']) || !apt(install)) {
    console.error('✗ apt-get failed (its messages are above). Mend what it names and run again.')
    return false
  }
  console.error(`  done in ${((Date.now() - started) / 1000).toFixed(1)} s`)
  return true
}

function apt(args: string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0
}
