import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import process from 'node:process'
import { requiredHostTools } from '@aleph-ts/guest'

/**
 * What the machine itself must have: the hypervisor, and the tools that build guest images.
 * Installs what is missing when it can (root on Debian), else says exactly what to type.
 *
 * @returns false when something is missing and could not be brought
 */
export function hostRequirements(): boolean {
  const needed = [{ tool: 'qemu-system-x86_64', package: 'qemu-system-x86' }, ...requiredHostTools]
  const missing = needed.filter(({ tool }) => !isThere(tool))
  if (missing.length === 0) return true

  const packages = [...new Set(missing.map((each) => each.package))]
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`
  console.error(`▸ Missing on this machine: ${missing.map((each) => each.tool).join(', ')}`)
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    console.error(`✗ Install it, then run again:\n\n    sudo apt-get update && sudo ${command}\n`)
    return false
  }
  console.error(`  installing ${packages.join(', ')} with apt …`)
  const started = Date.now()
  const apt = (args: string[]) =>
    spawnSync('apt-get', args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0
  if (!apt(['update', '-qq']) || !apt(command.split(' ').slice(1))) {
    console.error(`✗ "${command}" failed (its messages are above). Mend what it names and run again.`)
    return false
  }
  console.error(`  done in ${((Date.now() - started) / 1000).toFixed(1)} s`)
  return true
}

/** A tool is a program by name, or a file that must be there, by its whole path. */
function isThere(tool: string): boolean {
  return isAbsolute(tool) ? existsSync(tool) : isOnPath(tool)
}

function isOnPath(tool: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
