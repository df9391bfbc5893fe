import { describe, expect, it } from 'vitest'
import { corechannelSchema } from '../aggregates/corechannel.ts'
import { registryDifferences } from './registry-differences.ts'

const registry = (core: object[], compute: object[] = []) =>
  corechannelSchema.parse({ nodes: core, resource_nodes: compute })
const core = {
  hash: 'a',
  owner: '0x1',
  status: 'active',
  stakers: { '0x2': 10.5 },
  resource_nodes: ['c', 'd'],
}
const compute = { hash: 'c', owner: '0x1', status: 'linked', parent: 'a', address: 'https://c.example.org' }

describe('two registries', () => {
  it('that lead to the same placement and rewards do not differ', () => {
    const reworded = { ...core, name: 'another name', picture: 'new', resource_nodes: ['d', 'c'] }
    expect(registryDifferences(registry([core], [compute]), registry([reworded], [compute]))).toEqual([])
  })

  it('may spell an address in two ways and round a stake at the end of its digits', () => {
    const owner = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
    const first = registry([{ ...core, owner }])
    const second = registry([{ ...core, owner: owner.toLowerCase(), stakers: { '0x2': 10.5 + 1e-12 } }])
    expect(registryDifferences(first, second)).toEqual([])
  })

  it('differ by node, with the fields that do', () => {
    const first = registry([core, { ...core, hash: 'b' }], [compute])
    const second = registry(
      [{ ...core, status: 'waiting', stakers: { '0x2': 11 } }],
      [
        { ...compute, parent: null, status: 'waiting' },
        { ...compute, hash: 'e' },
      ],
    )
    expect(registryDifferences(first, second)).toEqual([
      { hash: 'a', fields: ['status', 'stakers'] },
      { hash: 'b', fields: ['missing'] },
      { hash: 'c', fields: ['status', 'parent'] },
      { hash: 'e', fields: ['surplus'] },
    ])
  })
})
