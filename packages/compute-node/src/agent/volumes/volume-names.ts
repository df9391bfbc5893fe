import { posix } from 'node:path'
import type { Volume } from '@aleph-ts/protocol'
import { AgentError } from '../errors.ts'

const MAX_MOUNT_CHARACTERS = 200
/** Folders a guest cannot live without. */
const reserved = [
  '/',
  '/aleph',
  '/bin',
  '/code',
  '/dev',
  '/etc',
  '/lib',
  '/lib64',
  '/proc',
  '/run',
  '/sbin',
  '/sys',
  '/usr',
]

/** Name and place of a volume, with the network's defaults filled in (protocol 05 §6.8). */
export interface NamedVolume {
  volume: Volume
  name: string
  mount: string
}

/**
 * Gives every volume its name and place. Throws AgentError `invalid_program` for places a guest cannot give
 * up, and for two volumes of one name or place: they would share one disk.
 */
export function nameVolumes(volumes: readonly Volume[]): NamedVolume[] {
  const named = volumes.map((volume, index) => {
    const given = (volume.kind === 'persistent' && volume.name) || `unamed_volume_${index}`
    const name = given.replaceAll(/[^\w\-/]/g, '_')
    return { volume, name, mount: mountPoint(volume.mount || `/mnt/${name}`, `volumes.${index}.mount`) }
  })
  for (const field of ['name', 'mount'] as const) {
    const seen = new Set<string>()
    for (const volume of named) {
      if (seen.has(volume[field])) {
        throw new AgentError('invalid_program', `volumes: two of them have the ${field} "${volume[field]}"`)
      }
      seen.add(volume[field])
    }
  }
  return named
}

/** A folder of the guest something may be mounted on. Throws AgentError `invalid_program`, naming `field`. */
export function mountPoint(path: string, field: string): string {
  const normal = posix.normalize(path).replace(/(.)\/+$/, '$1')
  const problem =
    !normal.startsWith('/') || /[:\0\n]/.test(normal) || normal.length > MAX_MOUNT_CHARACTERS
      ? 'is no absolute path of a folder'
      : reserved.includes(normal) || /^\/(proc|sys|dev|aleph)\//.test(normal)
        ? 'is a folder the guest needs itself'
        : null
  if (problem) throw new AgentError('invalid_program', `${field}: "${path}" ${problem}`)
  return normal
}
