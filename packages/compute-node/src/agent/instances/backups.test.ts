import { expect, test } from 'vitest'
import { backupSignature } from './backups.ts'

test('download links are signed as the network’s nodes sign them', () => {
  const hash = 'deca'.repeat(16)
  expect(backupSignature('secret', `${hash}-20260101T000000Z`, hash, 1_767_312_000)).toBe(
    'a346c09b53c5db06887ae3b5d115858cf66ebb0b143b6ad1848934eb22ec7472',
  )
})
