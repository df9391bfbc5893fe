import { expect, test } from 'vitest'
import { wantedComputeNodes } from './instance-moves.ts'

const owner = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
const vms = [
  { hash: 'mine', owner },
  { hash: 'theirs', owner: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' },
]

test('an owner says where a VM is to be, however the address is spelled', () => {
  const wanted = wantedComputeNodes([{ owner: owner.toLowerCase(), content: { mine: 'node' } }], vms)
  expect([...wanted]).toEqual([['mine', 'node']])
})

test('nobody moves the VMs of others, and a wish can be taken back', () => {
  const content = { mine: null, theirs: 'node', unknown: 'node' }
  expect(wantedComputeNodes([{ owner, content }], vms).size).toBe(0)
})
