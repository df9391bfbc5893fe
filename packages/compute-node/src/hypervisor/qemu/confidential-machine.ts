import type { ConfidentialShape } from '../hypervisor.ts'
import { escapeOption } from './command-line.ts'

/** 40 bits: what guests with encrypted memory count on. */
const physBitsLimit = '0x28'
const guestId = 'sev0'
const memoryId = 'memory'

/**
 * What makes a PC one whose memory its host cannot read (protocol 05 §11, §19): the firmware that is measured, and
 * AMD's guest object. Rebooting from inside ends it: a launch is measured once.
 */
export function confidentialArguments(
  shape: ConfidentialShape,
  memoryMiB: number,
): { machine: string; args: string[] } {
  const common = `cbitpos=${shape.cbitpos},reduced-phys-bits=${shape.reducedPhysBits},policy=${policyText(shape)}`
  const isSnp = shape.technology === 'sev-snp'
  const machine = `q35,confidential-guest-support=${guestId}`
  // SNP keeps private pages apart from those that the guest shares, which are a file.
  const memory = ['-object', `memory-backend-memfd,id=${memoryId},size=${memoryMiB}M,share=on`]
  return {
    machine: isSnp ? `${machine},memory-backend=${memoryId}` : machine,
    args: [
      '-no-reboot',
      ...(isSnp ? memory : []),
      ...['-object', `${guestObject(shape)},id=${guestId},${common}`],
      ...firmware(shape),
    ],
  }
}

/** Processor model of a confidential machine, which runs under KVM alone; that of SNP is a part of what is measured. */
export function confidentialCpu({ vcpuType }: ConfidentialShape): string {
  return vcpuType ?? `host,host-phys-bits-limit=${physBitsLimit}`
}

function guestObject(shape: ConfidentialShape): string {
  if (shape.technology === 'sev-snp') {
    return shape.hostData ? `sev-snp-guest,host-data=${shape.hostData}` : 'sev-snp-guest'
  }
  const session = shape.session
  if (!session) return 'sev-guest'
  const { dhCertificate, session: file } = session
  return `sev-guest,dh-cert-file=${escapeOption(dhCertificate)},session-file=${escapeOption(file)}`
}

function policyText({ policy }: ConfidentialShape): string {
  return `0x${policy.toString(16)}`
}

/** SNP takes its firmware as ROM: it has no encrypted flash. */
function firmware({ technology, firmware }: ConfidentialShape): string[] {
  if (technology === 'sev-snp') return ['-bios', firmware]
  return ['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${escapeOption(firmware)}`]
}
