import { setTimeout as sleep } from 'node:timers/promises'

const timeoutMs = 90_000
const pollMs = 25

/** Asks again and again until the answer is yes. @throws when it never is */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs / 1000} s in vain until ${what}.`)
    await sleep(pollMs)
  }
}
