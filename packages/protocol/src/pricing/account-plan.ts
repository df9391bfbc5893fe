import { Amount } from './decimal.ts'

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
