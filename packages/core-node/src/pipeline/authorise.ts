import { type Chain, isAuthorised, type NetworkProfile, ProtocolError } from '@aleph-ts/protocol'
import type pg from 'pg'
import { loadAggregates } from '../state/aggregates.ts'
import { fileTag } from '../state/files.ts'
import { amendedPost } from '../state/posts.ts'
import { alive, type Candidate, contentOf, fail, isOfType, ownerOf } from './candidate.ts'

/** A message of the state that another one wants to change. */
interface Subject {
  item_hash: string
  type: Candidate['envelope']['type']
  chain: Chain
  channel: string | null
  owner: string
  content_type: string | null
  content_key: string | null
}

/** Third step: may the sender act for `content.address` (protocol 02 §6)? */
export async function authorise(
  tx: pg.PoolClient,
  candidates: Candidate[],
  profile: NetworkProfile,
): Promise<void> {
  const waiting = alive(candidates)
  const subjects = await loadSubjects(tx, waiting)
  const rights = await loadRights(tx, waiting, subjects)
  const tagOwners = await loadTagOwners(tx, waiting)
  for (const candidate of waiting) {
    const refusal = refuse(candidate, { subjects, rights, tagOwners, profile })
    if (refusal)
      fail(candidate, new ProtocolError('PERMISSION_DENIED', { message: refusal, errors: [refusal] }))
  }
}

interface Known {
  subjects: Map<string, Subject>
  rights: Map<string, unknown>
  tagOwners: Map<string, string>
  profile: NetworkProfile
}

function refuse(candidate: Candidate, known: Known): string | undefined {
  if (isOfType(candidate, 'FORGET')) return refuseForget(candidate, known)
  const owner = ownerOf(candidate)
  const { sender } = candidate.envelope
  const subject = subjectOf(candidate, known)
  if (!mayAct(candidate, owner, subject, known)) {
    return `Sender ${sender} is not authorised to post on behalf of address ${owner}`
  }
  if (
    isOfType(candidate, 'POST') &&
    subject.item_hash !== candidate.envelope.item_hash &&
    subject.owner !== owner
  ) {
    return `Address ${owner} cannot amend a post of ${subject.owner}`
  }
  if (isOfType(candidate, 'STORE')) {
    const tagOwner = known.tagOwners.get(tagOf(candidate))
    if (tagOwner !== undefined && tagOwner !== owner)
      return `Address ${owner} cannot change a file of ${tagOwner}`
  }
  return undefined
}

/** An amend is judged as the post it amends, everything else as itself. */
function subjectOf(candidate: Candidate, known: Known): Subject {
  const { envelope } = candidate
  const content = candidate.parsed!.content as { type?: string; key?: string; ref?: string | null }
  if (isOfType(candidate, 'POST')) {
    const original = amendedPost(contentOf(candidate, 'POST'))
    const subject = original === null ? undefined : known.subjects.get(original)
    if (subject) return subject
  }
  return {
    item_hash: envelope.item_hash,
    type: envelope.type,
    chain: envelope.chain,
    channel: envelope.channel,
    owner: ownerOf(candidate),
    content_type: content.type ?? null,
    content_key: content.key ?? null,
  }
}

/** Who may forget a message is who may have written it (protocol 02 §12.1). */
function refuseForget(candidate: Candidate, known: Known): string | undefined {
  const { hashes, aggregates } = contentOf(candidate, 'FORGET')
  const named = new Set(hashes)
  for (const subject of known.subjects.values()) {
    const isElement = subject.owner === ownerOf(candidate) && aggregates.includes(subject.content_key ?? '')
    if (!named.has(subject.item_hash) && !(subject.type === 'AGGREGATE' && isElement)) continue
    if (!mayAct(candidate, subject.owner, subject, known)) {
      return `Sender ${candidate.envelope.sender} is not authorised to forget ${subject.item_hash} of address ${subject.owner}`
    }
  }
  return undefined
}

function mayAct(candidate: Candidate, owner: string, subject: Subject, known: Known): boolean {
  return isAuthorised(
    candidate.envelope.sender,
    owner,
    {
      chain: subject.chain,
      channel: subject.channel,
      type: subject.type,
      postType: subject.type === 'POST' ? (subject.content_type ?? undefined) : undefined,
      aggregateKey: subject.content_key ?? undefined,
    },
    known.rights.get(owner) ?? null,
    known.profile.policy,
  )
}

async function loadSubjects(tx: pg.PoolClient, candidates: Candidate[]): Promise<Map<string, Subject>> {
  const hashes = candidates.flatMap((candidate) => {
    if (isOfType(candidate, 'FORGET')) return contentOf(candidate, 'FORGET').hashes
    if (isOfType(candidate, 'POST')) return amendedPost(contentOf(candidate, 'POST')) ?? []
    return []
  })
  const keys = candidates.flatMap((candidate) =>
    isOfType(candidate, 'FORGET')
      ? contentOf(candidate, 'FORGET').aggregates.map((key) => [ownerOf(candidate), key] as const)
      : [],
  )
  if (hashes.length === 0 && keys.length === 0) return new Map()
  const { rows } = await tx.query<Subject>(
    `select item_hash, type, chain, channel, owner, content_type, content_key from messages
     where item_hash = any($1) or item_hash in (
       select e.item_hash from aggregate_elements e
       join unnest($2::text[], $3::text[]) as t(owner, key) on e.owner = t.owner and e.key = t.key)`,
    [hashes, keys.map(([owner]) => owner), keys.map(([, key]) => key)],
  )
  return new Map(rows.map((row) => [row.item_hash, row]))
}

async function loadRights(
  tx: pg.PoolClient,
  candidates: Candidate[],
  subjects: Map<string, Subject>,
): Promise<Map<string, unknown>> {
  const owners = new Set<string>()
  for (const subject of subjects.values()) owners.add(subject.owner)
  for (const candidate of candidates) {
    if (candidate.envelope.sender !== ownerOf(candidate)) owners.add(ownerOf(candidate))
  }
  return owners.size === 0 ? new Map() : loadAggregates(tx, 'security', [...owners])
}

async function loadTagOwners(tx: pg.PoolClient, candidates: Candidate[]): Promise<Map<string, string>> {
  const tags = candidates
    .filter((candidate) => isOfType(candidate, 'STORE') && contentOf(candidate, 'STORE').ref)
    .map(tagOf)
  if (tags.length === 0) return new Map()
  const { rows } = await tx.query<{ tag: string; owner: string }>(
    'select tag, owner from file_tags where tag = any($1)',
    [tags],
  )
  return new Map(rows.map((row) => [row.tag, row.owner]))
}

function tagOf(candidate: Candidate): string {
  return fileTag(ownerOf(candidate), candidate.envelope.item_hash, contentOf(candidate, 'STORE').ref)
}
