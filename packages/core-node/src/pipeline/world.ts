import type { Chain, MessageType, NetworkProfile, Place } from '@aleph-ts/protocol'
import type pg from 'pg'
import { CreditBooks } from '../state/credits.ts'
import { loadRulingElements, type RulingElement } from '../state/ruling-elements.ts'
import { loadStoredFiles, type StoredFile } from '../state/stored-files.ts'
import { loadSubjects, type Subject } from '../state/subjects.ts'
import { loadVmVersions, type VmVersion } from '../state/vm-versions.ts'
import { type Candidate, contentOf, hashOf, isOfType, ownerOf } from './candidate.ts'
import { type ForgetReach, loadForgetReach } from './forget-reach.ts'
import { standsAt, standsBefore } from './span.ts'
import { rulesOf } from './type-rules.ts'
import { vmContent, vmFiles } from './vm-files.ts'

/** A message of the state that another one builds on or wants to change. */
export interface Accepted extends Subject {
  type: MessageType
  chain: Chain
  owner: string
  place: Place
}

/** What stands around a group of candidates, read from the state at once; answers are for a place of the order. */
export class World {
  readonly profile: NetworkProfile
  readonly reach: ForgetReach
  readonly credits: CreditBooks
  readonly #subjects: Map<string, Subject>
  readonly #elements: Map<string, RulingElement[]>
  readonly #files: StoredFile[]
  readonly #vms: VmVersion[]

  private constructor(parts: {
    profile: NetworkProfile
    reach: ForgetReach
    credits: CreditBooks
    subjects: Map<string, Subject>
    elements: RulingElement[]
    files: StoredFile[]
    vms: VmVersion[]
  }) {
    this.profile = parts.profile
    this.reach = parts.reach
    this.credits = parts.credits
    this.#subjects = parts.subjects
    this.#elements = Map.groupBy(parts.elements, (element) => elementKey(element.owner, element.key))
    this.#files = parts.files
    this.#vms = parts.vms
  }

  static async load(tx: pg.PoolClient, candidates: Candidate[], profile: NetworkProfile): Promise<World> {
    const hashes = [...new Set(candidates.flatMap((candidate) => rulesOf(candidate).dependencies(candidate)))]
    const subjects = await loadSubjects(tx, hashes)
    const forgets = candidates.filter((candidate) => isOfType(candidate, 'FORGET'))
    const reach = await loadForgetReach(tx, forgets)
    for (const element of reach.elementSubjects) subjects.set(element.item_hash, element)
    const creditPosts = candidates.filter((candidate) => candidate.special?.kind === 'credits')
    const first = creditPosts.map((candidate) => candidate.place!).sort()[0]
    const creditOperations = creditPosts.flatMap(({ special }) =>
      special?.kind === 'credits' ? special : [],
    )
    return new World({
      credits: await CreditBooks.load(
        tx,
        [...new Set(creditOperations.flatMap(({ accounts }) => accounts))],
        {
          from: first,
          leases: [...new Set(creditOperations.flatMap(({ leases }) => leases))],
          judged: creditPosts.filter(({ standing }) => standing).map(hashOf),
        },
      ),
      profile,
      reach,
      subjects,
      elements: await loadRulingElements(tx, rulingKeys(candidates, subjects, profile)),
      files: await loadStoredFiles(tx, fileNames(candidates)),
      vms: await loadVmVersions(tx, replacedVms(candidates)),
    })
  }

  /** What is known of a hash; undefined when nobody sent it yet, or when it is still on its way. */
  subject(hash: string): Subject | undefined {
    return this.#subjects.get(hash)
  }

  /** A message that is or was part of the state. */
  accepted(hash: string): Accepted | undefined {
    const subject = this.#subjects.get(hash)
    return subject?.isAccepted ? (subject as Accepted) : undefined
  }

  /** The content of a ruling aggregate at a place: null without any element. */
  ruling(owner: string, key: string, place: Place): Record<string, unknown> | null {
    const elements = (this.#elements.get(elementKey(owner, key)) ?? [])
      .filter((element) => standsAt(element, place))
      .sort((a, b) => a.time - b.time || (a.item_hash < b.item_hash ? -1 : 1))
    if (elements.length === 0) return null
    // Not Object.assign: a key of the name `__proto__` is a key like any other.
    return Object.fromEntries(elements.flatMap((element) => Object.entries(element.content)))
  }

  /** The file that a reference leads to before a candidate; undefined when there is none. */
  file(reference: { ref: string; use_latest: boolean }, candidate: Candidate): StoredFile | undefined {
    const standing = this.#files.filter((file) => !file.suspended && standsBefore(file, candidate))
    if (!reference.use_latest) return standing.find((file) => file.item_hash === reference.ref)
    return standing
      .filter((file) => file.tag === reference.ref)
      .sort((a, b) => b.created - a.created || (a.item_hash < b.item_hash ? 1 : -1))[0]
  }

  /** A VM and its versions that stand before a candidate, newest first. */
  versions(original: string, candidate: Candidate): VmVersion[] {
    return this.#vms
      .filter((vm) => (vm.item_hash === original || vm.replaces === original) && standsBefore(vm, candidate))
      .sort((a, b) => b.created - a.created || (a.item_hash < b.item_hash ? 1 : -1))
  }
}

function elementKey(owner: string, key: string): string {
  return `${owner}\n${key}`
}

function rulingKeys(
  candidates: Candidate[],
  subjects: Map<string, Subject>,
  profile: NetworkProfile,
): [owner: string, key: string][] {
  const owners = new Set<string>()
  for (const subject of subjects.values()) if (subject.owner !== null) owners.add(subject.owner)
  for (const candidate of candidates) {
    if (candidate.envelope.sender !== ownerOf(candidate)) owners.add(ownerOf(candidate))
  }
  const keys: [string, string][] = [...owners].map((owner) => [owner, 'security'])
  if (candidates.some((candidate) => isOfType(candidate, 'STORE', 'PROGRAM', 'INSTANCE', 'V-PROGRAM'))) {
    const { settings } = profile.addresses
    keys.push([settings, 'pricing'], [settings, 'settings'])
  }
  return keys
}

function fileNames(candidates: Candidate[]): string[] {
  return candidates.flatMap((candidate) =>
    isOfType(candidate, 'PROGRAM', 'INSTANCE', 'V-PROGRAM')
      ? vmFiles(vmContent(candidate)).map((file) => file.ref)
      : [],
  )
}

function replacedVms(candidates: Candidate[]): string[] {
  return candidates.flatMap((candidate) =>
    isOfType(candidate, 'PROGRAM', 'INSTANCE') ? (contentOf(candidate, 'PROGRAM').replaces ?? []) : [],
  )
}
