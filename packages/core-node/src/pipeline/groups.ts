import { fileTag } from '../state/files.ts'
import { isVmMessage, vmContent, vmFiles } from '../state/vms.ts'
import { type Candidate, contentOf, isOfType, ownerOf } from './candidate.ts'

/**
 * Cuts a batch, in order, into groups whose messages do not look at each other, so that each group can be applied as
 * a set. A message that names something an earlier one of its group makes opens the next group.
 */
export function independentGroups(candidates: Candidate[]): Candidate[][] {
  const groups: Candidate[][] = []
  let made = new Set<string>()
  let group: Candidate[] = []
  for (const candidate of candidates) {
    if (looksAt(candidate).some((name) => made.has(name))) {
      groups.push(group)
      group = []
      made = new Set()
    }
    group.push(candidate)
    for (const name of makes(candidate)) made.add(name)
  }
  if (group.length > 0) groups.push(group)
  return groups
}

/** Names under which later messages may look at this one; also what wakes messages that wait. */
export function makes(candidate: Candidate): string[] {
  const { item_hash: hash, type } = candidate.envelope
  const owner = ownerOf(candidate)
  const names = [hash]
  if (type === 'STORE') names.push(fileTag(owner, hash, contentOf(candidate, 'STORE').ref))
  if (type === 'AGGREGATE') {
    const { key } = contentOf(candidate, 'AGGREGATE')
    names.push(aggregateName(owner, key))
    if (key === 'security') names.push(rightsName(owner))
    if (key === 'pricing' || key === 'settings') names.push(pricesName)
  }
  if (type === 'FORGET') names.push(forgetName)
  if (isVmMessage(candidate)) names.push(vmName)
  return names
}

/** What a message looks at in the state, as far as another message of the same batch could have made it. */
function looksAt(candidate: Candidate): string[] {
  // Whatever follows a FORGET must see what it removed.
  const names = [forgetName]
  const owner = ownerOf(candidate)
  if (candidate.envelope.sender !== owner) names.push(rightsName(owner))
  if (isOfType(candidate, 'POST')) {
    const { type, ref } = contentOf(candidate, 'POST')
    if (type === 'amend' && ref) names.push(ref)
  }
  if (isOfType(candidate, 'STORE')) {
    const { ref } = contentOf(candidate, 'STORE')
    if (ref) names.push(fileTag(owner, candidate.envelope.item_hash, ref))
    names.push(pricesName)
  }
  if (isVmMessage(candidate)) {
    const content = vmContent(candidate)
    names.push(...vmFiles(content).map((file) => file.ref), pricesName)
    if ('replaces' in content && content.replaces) names.push(content.replaces)
  }
  if (isOfType(candidate, 'FORGET')) {
    const { hashes, aggregates } = contentOf(candidate, 'FORGET')
    names.push(...hashes, ...aggregates.map((key) => aggregateName(owner, key)), vmName)
  }
  return names
}

const forgetName = 'any forget'
const pricesName = 'prices'
const vmName = 'any vm'

function rightsName(owner: string): string {
  return `rights of ${owner}`
}

function aggregateName(owner: string, key: string): string {
  return `aggregate ${owner} ${key}`
}
