import type { NetworkProfile } from '../profile/network-profile.ts'
import { Amount } from './decimal.ts'

/** A message whose cost rows an account pays for. */
export interface PaidResource {
  itemHash: string
  /** What it needs, decimal text: ALEPH to hold, or the credits of a day ({@link creditsOfADay}). */
  need: string
  status: 'processed' | 'removing'
  /** Effective time, epoch seconds. */
  time: number
  /** Ethereum height of the first confirmation; null while there is none. */
  ethHeight: number | null
  /** Bytes of the file of a STORE; null for everything else. */
  fileBytes: number | null
}

/** What changes for an account's resources, hashes in the order of `resources`. */
export interface AccountPlan {
  /** To be suspended: the balance no longer carries them. */
  remove: string[]
  /** Suspended ones that the balance carries again. */
  recover: string[]
}

/**
 * Which of an account's resources are suspended, and which come back (protocol 02 §15). Every resource counts once,
 * confirmed or not, and those that are spared use up the balance like all others.
 *
 * @param paymentType how all of `resources` are paid; streams are never suspended here
 * @param balance decimal text: ALEPH held on all chains, or credits that can be spent now
 * @param resources oldest first
 */
export function accountPlan(
  paymentType: 'hold' | 'credit',
  balance: string,
  resources: readonly PaidResource[],
  profile: NetworkProfile,
): AccountPlan {
  const isSpared = paymentType === 'hold' ? isSparedHolding : isSparedFile
  const kept = affordable(
    balance,
    resources.map((resource) => resource.need),
  )
  const plan: AccountPlan = { remove: [], recover: [] }
  for (const [index, resource] of resources.entries()) {
    if (resource.status === 'removing') {
      if (kept[index]) plan.recover.push(resource.itemHash)
    } else if (!kept[index] && !isSpared(resource, profile)) plan.remove.push(resource.itemHash)
  }
  return plan
}

/**
 * Which of an account's resources its balance carries (protocol 02 §15): the oldest are kept, the newest go first. One
 * that is too dear uses up what is left, so that a newer, cheaper one is not kept in its place.
 *
 * @param balance decimal text: ALEPH, or credits
 * @param needs what each resource needs, oldest first; decimal text: ALEPH to hold, or credits for a day
 */
export function affordable(balance: string, needs: readonly string[]): boolean[] {
  let left = new Amount(balance)
  return needs.map((need) => {
    const isAffordable = left.gte(need)
    left = Amount.max(0, left.sub(need))
    return isAffordable
  })
}

/** What a resource needs to be kept, from its cost in credits per second; both decimal text. */
export function creditsOfADay(creditsPerSecond: string): string {
  return new Amount(creditsPerSecond).mul(86_400).toFixed()
}

/** Files so small that they need no balance stay; so does what was confirmed before anything had a price. */
function isSparedHolding(resource: PaidResource, profile: NetworkProfile): boolean {
  if (isSmallFile(resource, profile)) return true
  const firstPrices = profile.cutoffs.freeStoreAndProgramUntil
  if (firstPrices === null) return false
  return resource.ethHeight === null
    ? resource.time < firstPrices.time
    : resource.ethHeight < firstPrices.ethHeight
}

/** Small files are free to keep only while other ways to pay than credits are. */
function isSparedFile(resource: PaidResource, profile: NetworkProfile): boolean {
  const { creditOnlyFrom } = profile.cutoffs
  return isSmallFile(resource, profile) && (creditOnlyFrom === null || resource.time < creditOnlyFrom)
}

function isSmallFile({ fileBytes }: PaidResource, profile: NetworkProfile): boolean {
  return fileBytes !== null && fileBytes <= profile.limits.freeFileBytes
}
