import type { NetworkProfile } from '@aleph-ts/protocol'
import { ownPlace } from '@aleph-ts/protocol'
import { accountOf, type Candidate, contentOf, hashOf, isOfType, ownerOf } from './candidate.ts'
import { chargesOf, creditsOf, holdingsOf, prices, rightsOf } from './names.ts'
import { isPaid, paymentOf } from './price.ts'
import { rulesOf } from './type-rules.ts'
import { readSpecialPost } from './types/special-posts.ts'

/** Gives candidates the place of their own clock, and reads what posts of the network's publishers do. */
export function prepare(candidates: Candidate[], profile: NetworkProfile): void {
  for (const candidate of candidates) {
    candidate.place = ownPlace(
      {
        contentTime: candidate.parsed!.content.time,
        firstConfirmedAt: candidate.confirmed?.time ?? null,
        itemHash: hashOf(candidate),
      },
      profile,
    )
    if (isOfType(candidate, 'POST')) candidate.special ??= readSpecialPost(candidate, profile)
  }
}

/** Candidates in the order in which they are judged: by place, but nothing before what it builds on. */
export function inOrder(candidates: Candidate[]): Candidate[] {
  const sorted = [...candidates].sort((a, b) => (a.place! < b.place! ? -1 : 1))
  const byHash = new Map(sorted.map((candidate) => [hashOf(candidate), candidate]))
  const ordered = new Set<Candidate>()
  // Hashes cannot name each other in a circle, and no reference is deeper than a few steps.
  const visit = (candidate: Candidate) => {
    if (ordered.has(candidate)) return
    for (const hash of rulesOf(candidate).dependencies(candidate)) {
      const dependency = byHash.get(hash)
      if (dependency && dependency !== candidate) visit(dependency)
    }
    ordered.add(candidate)
  }
  for (const candidate of sorted) visit(candidate)
  return [...ordered]
}

/**
 * How many of the first candidates do not look at each other, so that they can be judged and applied as a set. One
 * that looks at something an earlier one makes begins the next group.
 */
export function independentPrefix(candidates: Candidate[]): number {
  const made = new Set<string>()
  for (const [index, candidate] of candidates.entries()) {
    if (index > 0 && namesLookedAt(candidate).some((name) => made.has(name))) return index
    for (const name of namesMade(candidate)) made.add(name)
    if (isOfType(candidate, 'AGGREGATE') && contentOf(candidate, 'AGGREGATE').key === 'security') {
      made.add(anyRights)
    }
  }
  return candidates.length
}

/** Every name under which others may look at a message; they change when it comes or goes. */
export function namesMade(candidate: Candidate): string[] {
  const names = [hashOf(candidate), ...rulesOf(candidate).makes(candidate)]
  if (isPaid(candidate)) names.push(chargesOf(accountOf(candidate), paymentOf(candidate)))
  return names
}

function namesLookedAt(candidate: Candidate): string[] {
  const rules = rulesOf(candidate)
  const names = [...rules.dependencies(candidate), ...rules.looksAt(candidate)]
  if (candidate.envelope.sender !== ownerOf(candidate)) names.push(rightsOf(ownerOf(candidate)))
  if (isPaid(candidate)) {
    const account = accountOf(candidate)
    names.push(prices, paymentOf(candidate) === 'credit' ? creditsOf(account) : holdingsOf(account))
  }
  if (isOfType(candidate, 'FORGET')) names.push(anyRights)
  return names
}

const anyRights = 'any rights'
