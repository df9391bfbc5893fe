import { pino } from 'pino'
import { expect, test } from 'vitest'
import { ForgottenDisks } from './forgotten-disks.ts'

/** A node with disks of three VMs, of which the network has forgotten what `gone` names. */
function node(gone: Set<string>, planned: string[] = []) {
  const disks = new Set(['kept', 'forgotten', 'wanted'])
  const snapshots = new Set(['kept', 'forgotten program'])
  const sweep = new ForgottenDisks({
    volumes: { owners: async () => [...disks] },
    vms: {
      get snapshotOwners() {
        return [...snapshots]
      },
    },
    messages: { isGone: async (hash) => gone.has(hash) },
    workloads: {
      async erase(hash) {
        disks.delete(hash)
        snapshots.delete(hash)
      },
    },
    isPlanned: (hash) => planned.includes(hash),
    logger: pino({ level: 'silent' }),
  })
  return { disks, snapshots, pass: () => sweep.check() }
}

test('disks whose message is gone three times in a row are deleted, others never', async () => {
  const { disks, pass } = node(new Set(['forgotten', 'wanted']), ['wanted'])
  await pass()
  await pass()
  expect([...disks]).toEqual(['kept', 'forgotten', 'wanted'])
  await pass()
  expect([...disks]).toEqual(['kept', 'wanted'])
})

test('one that was seen again meanwhile begins anew', async () => {
  const gone = new Set(['forgotten'])
  const { disks, pass } = node(gone)
  for (const isGone of [true, true, false, true, true]) {
    if (isGone) gone.add('forgotten')
    else gone.delete('forgotten')
    await pass()
  }
  expect(disks.has('forgotten')).toBe(true)
})

test('a program without a disk loses its snapshots', async () => {
  const { snapshots, pass } = node(new Set(['forgotten program']))
  for (let count = 0; count < 3; count++) await pass()
  expect([...snapshots]).toEqual(['kept'])
})
