import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { ConfidentialSupport, ConfidentialTechnology } from '../hypervisor.ts'
import type { SevAnswers } from './sev-capabilities.ts'

/** Parameter of the kernel module `kvm_amd` for each technology. */
const parameters: readonly (readonly [ConfidentialTechnology, string])[] = [
  ['sev', 'sev'],
  ['sev-es', 'sev_es'],
  ['sev-snp', 'sev_snp'],
]

const capabilitiesSchema = z.looseObject({
  pdh: z.base64(),
  'cert-chain': z.base64(),
  cbitpos: z.int().nonnegative(),
  'reduced-phys-bits': z.int().nonnegative(),
})

export interface SevSupportOptions {
  /** Root of the kernel's device tree. */
  sysfs: string
  /** Asks a QEMU under KVM; rejects with why it cannot tell. */
  queryCapabilities: () => Promise<SevAnswers>
}

/** What of AMD's encrypted virtualisation works here (protocol 05 §11), or why nothing does. */
export async function findSevSupport(options: SevSupportOptions): Promise<ConfidentialSupport> {
  const technologies: ConfidentialTechnology[] = []
  for (const [technology, parameter] of parameters) {
    const path = join(options.sysfs, 'module/kvm_amd/parameters', parameter)
    const value = await readFile(path, 'utf8').catch(() => '')
    if (/^(1|Y)$/.test(value.trim())) technologies.push(technology)
  }
  if (!technologies.includes('sev')) {
    return {
      available: false,
      reason:
        'the kernel module kvm_amd offers no SEV; it needs an AMD EPYC processor and SEV enabled in firmware',
    }
  }
  const answer = await options.queryCapabilities().catch((error: Error) => error)
  const answers = answer instanceof Error ? null : answer
  const capabilities = capabilitiesSchema.safeParse(answers?.capabilities)
  if (!capabilities.success) {
    const reason = answer instanceof Error ? answer.message : 'QEMU told no SEV capabilities'
    return { available: false, reason: `${reason}; may this node's user open /dev/sev?` }
  }
  const { pdh, 'cert-chain': chain, cbitpos, 'reduced-phys-bits': reducedPhysBits } = capabilities.data
  return {
    available: true,
    technologies: technologies.filter((technology) => technology !== 'sev-snp' || answers?.hasSnpGuest),
    cbitpos,
    reducedPhysBits,
    // The platform's key, then what vouches for it: the file that sevctl exports.
    certificates: Buffer.concat([Buffer.from(pdh, 'base64'), Buffer.from(chain, 'base64')]),
  }
}
