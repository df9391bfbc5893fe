import type pg from 'pg'
import { insertAggregateElements, removeAggregateElements } from '../../state/aggregates.ts'
import { insertRulingElements, isTariff } from '../../state/ruling-elements.ts'
import { type Candidate, contentOf, hashOf, ownerOf } from '../candidate.ts'
import { elementsOf, prices, rightsOf } from '../names.ts'
import { requireAuthor } from '../permissions.ts'
import type { TypeRules } from '../type-rules.ts'

/** AGGREGATE: one element of a key-value document of its owner (protocol 02 §9). */
export const aggregateRules: TypeRules = {
  dependencies: () => [],

  makes(candidate) {
    const { key } = contentOf(candidate, 'AGGREGATE')
    const owner = ownerOf(candidate)
    const names = [elementsOf(owner, key)]
    if (key === 'security') names.push(rightsOf(owner))
    if (isTariff(key)) names.push(prices)
    return names
  },

  looksAt: () => [],

  judge: requireAuthor,

  async enter(tx: pg.PoolClient, candidates: Candidate[]) {
    await insertAggregateElements(tx, candidates)
    await insertRulingElements(tx, candidates)
  },

  leave: (tx, candidates) => removeAggregateElements(tx, candidates.map(hashOf)),
}
