import { devnetProfile } from '@aleph-ts/protocol'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { AllocationSigners, type AllocationSignersOptions } from './allocation-signers.ts'

const owners = ['0xa1', '0xb2']

/** The signers of a node whose place in the registry changes. */
function signersOf(registry: { parent: number | null; isListed?: boolean }) {
  const messages = {
    aggregate: async () => ({
      nodes: owners.map((owner, index) => ({ hash: `core ${index}`, owner, status: 'active' })),
      resource_nodes:
        registry.isListed === false
          ? []
          : [
              {
                hash: 'self',
                owner: '0xc3',
                status: registry.parent === null ? 'waiting' : 'linked',
                parent: registry.parent === null ? null : `core ${registry.parent}`,
              },
            ],
    }),
  }
  return new AllocationSigners({
    messages,
    settings: { published: async () => null },
    profile: devnetProfile,
    override: [],
    identity: { hash: 'self' },
    logger: pino({ level: 'silent' }),
  } as unknown as AllocationSignersOptions)
}

test('a node obeys the core node it is linked to', async () => {
  expect([...(await signersOf({ parent: 0 }).current())]).toEqual(['0xa1'])
  expect([...(await signersOf({ parent: null }).current())]).toEqual([])
})

test('a node that was unlinked obeys its former core node until it is linked to another one, or leaves', async () => {
  const registry: { parent: number | null; isListed?: boolean } = { parent: 0 }
  const signers = signersOf(registry)
  await signers.current()
  registry.parent = null
  expect([...(await signers.current())]).toEqual(['0xa1'])
  registry.parent = 1
  expect([...(await signers.current())]).toEqual(['0xb2'])
  registry.isListed = false
  expect([...(await signers.current())]).toEqual([])
})
