import { ProtocolError } from '@aleph-ts/protocol'
import { type Candidate, contentOf, look, ownerOf } from '../candidate.ts'
import { childrenOf, elementsOf, usersOf } from '../names.ts'
import { denied, mayAct, subjectOf } from '../permissions.ts'
import { standsBefore } from '../span.ts'
import type { TypeRules } from '../type-rules.ts'
import { Waiting } from '../waiting.ts'
import type { Accepted, World } from '../world.ts'

/** FORGET: takes messages out of the state (protocol 02 §12). What it removes is settled in `forgetting.ts`. */
export const forgetRules: TypeRules = {
  dependencies: (candidate) => contentOf(candidate, 'FORGET').hashes,

  makes: () => [],

  looksAt(candidate) {
    const { hashes, aggregates } = contentOf(candidate, 'FORGET')
    return [
      ...hashes.flatMap((hash) => [childrenOf(hash), usersOf(hash)]),
      ...aggregates.map((key) => elementsOf(ownerOf(candidate), key)),
    ]
  },

  judge(candidate, world) {
    const { hashes, aggregates } = contentOf(candidate, 'FORGET')
    if (hashes.length === 0 && aggregates.length === 0) throw new ProtocolError('FORGET_NO_TARGET')
    const named = requireTargets(candidate, world)
    const elements = aggregates.flatMap((key) => requireAggregate(candidate, key, world))
    for (const target of [...named, ...elements]) requireRight(candidate, target, world)
    for (const target of named) requireUnused(candidate, target, world)
    const along = named.flatMap((target) => childrenBefore(candidate, target, world))
    candidate.targets = [
      ...new Set([...named.map((target) => target.item_hash), ...elements.map((e) => e.item_hash), ...along]),
    ]
  },

  enter: async () => {},
  leave: async () => {},
}

/** Messages named by hash: all must be known. What was refused or removed needs nothing more (protocol 02 §12.1). */
function requireTargets(candidate: Candidate, world: World): Accepted[] {
  const { hashes } = contentOf(candidate, 'FORGET')
  const missing = hashes.filter((hash) => world.subject(hash) === undefined)
  if (missing.length > 0) {
    const error = new ProtocolError('FORGET_TARGET_NOT_FOUND', { errors: [{ message: missing[0] }] })
    throw new Waiting(error, missing)
  }
  const targets = hashes.flatMap((hash) => world.accepted(hash) ?? [])
  const forget = targets.find((target) => target.type === 'FORGET')
  if (forget) throw new ProtocolError('FORGET_FORGET', { errors: [{ message: forget.item_hash }] })
  return targets
}

/** Elements of an aggregate of the owner that stand. */
function requireAggregate(candidate: Candidate, key: string, world: World): Accepted[] {
  const owner = ownerOf(candidate)
  const elements = world.reach.elementSubjects.filter(
    (element) => element.owner === owner && element.content_key === key,
  ) as Accepted[]
  const standing = elements.filter((element) => standsBefore(element, candidate))
  look(candidate, elementsOf(owner, key), standing.length > 0 ? 'before' : 'ever')
  if (standing.length > 0) return standing
  throw new Waiting(new ProtocolError('FORGET_TARGET_NOT_FOUND', { errors: [{ aggregate: key }] }), [
    elementsOf(owner, key),
  ])
}

/** Who may forget a message is who might have written it. */
function requireRight(candidate: Candidate, target: Accepted, world: World): void {
  if (mayAct(candidate, target.owner, subjectOf(target), world)) return
  throw denied(
    `Sender ${candidate.envelope.sender} is not authorised to forget ${target.item_hash} of address ${target.owner}`,
  )
}

/** No VM is built from the target. */
function requireUnused(candidate: Candidate, target: Accepted, world: World): void {
  if (target.type !== 'STORE') return
  look(candidate, usersOf(target.item_hash))
  const users = world.reach.users.get(target.item_hash) ?? []
  const user = users.find((use) => standsBefore(use, candidate))
  if (!user) return
  const reason = `File ${target.item_hash} used on vm ${user.vm_hash}`
  throw new ProtocolError('FORGET_NOT_ALLOWED', { message: reason, errors: [reason] })
}

/** Amends of a post and versions of a VM go with the original. */
function childrenBefore(candidate: Candidate, target: Accepted, world: World): string[] {
  if (target.type === 'STORE' || target.type === 'AGGREGATE') return []
  look(candidate, childrenOf(target.item_hash))
  const children = world.reach.children.get(target.item_hash) ?? []
  return children.filter((child) => standsBefore(child, candidate)).map((child) => child.item_hash)
}
