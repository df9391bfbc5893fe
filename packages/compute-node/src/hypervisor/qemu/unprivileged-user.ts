import { readFile, stat } from 'node:fs/promises'
import type { Accelerator } from '../hypervisor.ts'

/** First of a range of user and group ids that no distribution hands out. */
const firstId = 0x7000_0000
const rangeLength = 0x100_0000
const nobody = 65_534

/** Whom a process runs as. */
export interface ProcessUser {
  uid: number
  gid: number
  /** A group besides. */
  extraGroup?: number
}

/** Under which user QEMU processes run. */
export interface UserPlan {
  /** A user per machine; null when we are not root and everything runs as ourselves. */
  userFor(launchId: string, accelerator: Accelerator): ProcessUser | null
  /** The group of all of them that may write to files of guest memory, if only they can reach one. */
  memoryGroup: number | null
}

/**
 * As root, every machine gets a user id of its own, so that a guest which breaks out of QEMU finds itself
 * a stranger to every other machine. In a user namespace that maps few ids it is `nobody` for all.
 */
export async function planUsers(): Promise<UserPlan> {
  if (process.getuid?.() !== 0) return { userFor: () => null, memoryGroup: null }
  const ownIds = await isMapped(firstId + rangeLength)
  const kvmGroup = await groupOfKvm()
  return {
    memoryGroup: ownIds ? firstId + rangeLength : nobody,
    userFor(launchId, accelerator) {
      const id = ownIds ? firstId + Number.parseInt(launchId.slice(0, 6), 16) : nobody
      return { uid: id, gid: id, extraGroup: accelerator === 'kvm' ? kvmGroup : undefined }
    },
  }
}

/** The group that may use `/dev/kvm`, when it takes a group to use it. */
async function groupOfKvm(): Promise<number | undefined> {
  try {
    const { mode, gid } = await stat('/dev/kvm')
    const forEveryone = (mode & 0o006) === 0o006
    return !forEveryone && (mode & 0o060) === 0o060 && gid !== 0 ? gid : undefined
  } catch {
    return undefined
  }
}

async function isMapped(id: number): Promise<boolean> {
  const map = await readFile('/proc/self/uid_map', 'utf8')
  return map.split('\n').some((line) => {
    const [inside, , length] = line.trim().split(/\s+/).map(Number)
    return inside !== undefined && length !== undefined && inside <= id && id < inside + length
  })
}
