import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findGpus } from './pci-gpus.ts'

let sysfs: string
beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), 'aleph-sysfs-'))
})
afterEach(() => rmSync(sysfs, { recursive: true, force: true }))

function device(address: string, facts: { class: string; vendor: string; device: string; driver?: string }) {
  const folder = join(sysfs, 'bus/pci/devices', address)
  mkdirSync(folder, { recursive: true })
  for (const name of ['class', 'vendor', 'device'] as const) {
    writeFileSync(join(folder, name), `0x${facts[name]}\n`)
  }
  if (facts.driver) symlinkSync(`../../../../bus/pci/drivers/${facts.driver}`, join(folder, 'driver'))
  symlinkSync('../../../../kernel/iommu_groups/7', join(folder, 'iommu_group'))
}

test('a GPU is found when it is bound to vfio-pci, and no other device is', async () => {
  device('0000:01:00.0', { class: '030000', vendor: '10de', device: '2684', driver: 'vfio-pci' })
  device('0000:01:00.1', { class: '040300', vendor: '10de', device: '22ba', driver: 'vfio-pci' })
  device('0000:02:00.0', { class: '030200', vendor: '10de', device: '2330', driver: 'nvidia' })
  device('0000:03:00.0', { class: '030200', vendor: '1002', device: '740f' })
  expect(await findGpus(sysfs)).toEqual([
    {
      pciAddress: '0000:01:00.0',
      deviceId: '10de:2684',
      deviceClass: '0300',
      vendor: 'NVIDIA',
      vfioGroup: '7',
    },
  ])
})

test('a host without PCI has no GPU', async () => {
  expect(await findGpus(sysfs)).toEqual([])
})
