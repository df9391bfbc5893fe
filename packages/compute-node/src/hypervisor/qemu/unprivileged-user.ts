import { readFile } from 'node:fs/promises'

/** First of a range of user and group ids that no distribution hands out. */
const firstId = 0x7000_0000
const rangeLength = 0x100_0000
const nobody = 65_534

/** Under which user QEMU processes run. */
export interface UserPlan {
  /** A user per machine; null when we are not root and everything runs as ourselves. */
  userFor(launchId: string): { uid: number; gid: number } | null
}

/**
 * As root, every machine gets a user id of its own, so that a guest which breaks out of QEMU finds itself
 * a stranger to every other machine. In a user namespace that maps few ids it is `nobody` for all.
 */
export async function planUsers(): Promise<UserPlan> {
  if (process.getuid?.() !== 0) return { userFor: () => null }
  if (await isMapped(firstId + rangeLength - 1)) {
    return {
      userFor(launchId) {
        const id = firstId + Number.parseInt(launchId.slice(0, 6), 16)
        return { uid: id, gid: id }
      },
    }
  }
  return { userFor: () => ({ uid: nobody, gid: nobody }) }
}

async function isMapped(id: number): Promise<boolean> {
  const map = await readFile('/proc/self/uid_map', 'utf8')
  return map.split('\n').some((line) => {
    const [inside, , length] = line.trim().split(/\s+/).map(Number)
    return inside !== undefined && length !== undefined && inside <= id && id < inside + length
  })
}
