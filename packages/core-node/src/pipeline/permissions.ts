import { type AuthorisationSubject, isAuthorised, ProtocolError } from '@aleph-ts/protocol'
import { type Candidate, contentOf, isOfType, look, ownerOf } from './candidate.ts'
import { rightsOf } from './names.ts'
import type { Accepted, World } from './world.ts'

/** Whether the sender may act on `subject`, which belongs to `owner`, by the rights that stand before the candidate. */
export function mayAct(
  candidate: Candidate,
  owner: string,
  subject: AuthorisationSubject,
  world: World,
): boolean {
  const { sender } = candidate.envelope
  if (sender !== owner) look(candidate, rightsOf(owner))
  return isAuthorised(
    sender,
    owner,
    subject,
    world.ruling(owner, 'security', candidate.place!),
    world.profile.policy,
  )
}

/**
 * The sender must be the owner, or have been allowed to write such a message for the owner (protocol 02 §6).
 *
 * @throws {ProtocolError} PERMISSION_DENIED
 */
export function requireAuthor(candidate: Candidate, world: World, subject = ownSubject(candidate)): void {
  const owner = ownerOf(candidate)
  if (mayAct(candidate, owner, subject, world)) return
  throw denied(`Sender ${candidate.envelope.sender} is not authorised to post on behalf of address ${owner}`)
}

export function denied(reason: string): ProtocolError {
  return new ProtocolError('PERMISSION_DENIED', { message: reason, errors: [reason] })
}

/** A message of the state, as authorisations see it. */
export function subjectOf(message: Accepted): AuthorisationSubject {
  return {
    chain: message.chain,
    channel: message.channel,
    type: message.type,
    postType: message.type === 'POST' ? (message.content_type ?? undefined) : undefined,
    aggregateKey: message.content_key ?? undefined,
  }
}

function ownSubject(candidate: Candidate): AuthorisationSubject {
  const { chain, channel, type } = candidate.envelope
  const subject: AuthorisationSubject = { chain, channel, type }
  if (isOfType(candidate, 'POST')) subject.postType = contentOf(candidate, 'POST').type
  if (isOfType(candidate, 'AGGREGATE')) subject.aggregateKey = contentOf(candidate, 'AGGREGATE').key
  return subject
}
