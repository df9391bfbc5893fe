import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findSevSupport } from './sev-support.ts'

let sysfs: string
beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), 'aleph-sysfs-'))
})
afterEach(() => rmSync(sysfs, { recursive: true, force: true }))

function kvmAmd(parameters: Record<string, string>): void {
  const folder = join(sysfs, 'module/kvm_amd/parameters')
  mkdirSync(folder, { recursive: true })
  for (const [name, value] of Object.entries(parameters)) writeFileSync(join(folder, name), `${value}\n`)
}

const capabilities = { pdh: 'UERI', 'cert-chain': 'Q0hBSU4=', cbitpos: 51, 'reduced-phys-bits': 1 }

const answering = async () => ({ capabilities, hasSnpGuest: true })

test('SNP takes a QEMU that knows it too', async () => {
  kvmAmd({ sev: 'Y', sev_es: 'Y', sev_snp: 'Y' })
  const newer = await findSevSupport({ sysfs, queryCapabilities: answering })
  expect(newer).toMatchObject({ technologies: ['sev', 'sev-es', 'sev-snp'] })
  const older = await findSevSupport({
    sysfs,
    queryCapabilities: async () => ({ capabilities, hasSnpGuest: false }),
  })
  expect(older).toMatchObject({ technologies: ['sev', 'sev-es'] })
})

test('a processor with SEV is told by its kernel and by QEMU, with the file that owners make sessions for', async () => {
  kvmAmd({ sev: 'Y', sev_es: '1', sev_snp: 'N' })
  expect(await findSevSupport({ sysfs, queryCapabilities: answering })).toEqual({
    available: true,
    technologies: ['sev', 'sev-es'],
    cbitpos: 51,
    reducedPhysBits: 1,
    certificates: Buffer.from('PDHCHAIN'),
  })
})

test('a processor without says so, and nobody is asked further', async () => {
  const queryCapabilities = () => Promise.reject(new Error('asked'))
  for (const sev of ['N', '0']) {
    kvmAmd({ sev })
    const found = await findSevSupport({ sysfs, queryCapabilities })
    expect(found).toEqual({ available: false, reason: expect.stringContaining('no SEV') })
  }
})

test('QEMU that cannot use it is quoted', async () => {
  kvmAmd({ sev: 'Y' })
  const queryCapabilities = () => Promise.reject(new Error('SEV: Failed to open /dev/sev'))
  const found = await findSevSupport({ sysfs, queryCapabilities })
  expect(found).toEqual({ available: false, reason: expect.stringContaining('Failed to open /dev/sev') })
})
