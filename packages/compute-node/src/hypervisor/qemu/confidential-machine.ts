import type { ConfidentialShape } from '../hypervisor.ts'
import { escapeOption } from './command-line.ts'

/** 40 bits: what guests with encrypted memory count on. */
const physBitsLimit = '0x28'
const guestId = 'sev0'

/**
 * What makes a PC one whose memory its host cannot read (protocol 05 §11, §19): the firmware that is measured, and
 * AMD's guest object. Rebooting from inside ends it: a launch is measured once.
 */
export function confidentialArguments(shape: ConfidentialShape): { machine: string; args: string[] } {
  const common = `cbitpos=${shape.cbitpos},reduced-phys-bits=${shape.reducedPhysBits},policy=${policyText(shape)}`
  return {
    machine: `q35,confidential-guest-support=${guestId}`,
    args: ['-no-reboot', '-object', `${guestObject(shape)},id=${guestId},${common}`, ...firmware(shape)],
  }
}

/** Processor model of a confidential machine; it runs under KVM alone. */
export const confidentialCpu = `host,host-phys-bits-limit=${physBitsLimit}`

function guestObject(shape: ConfidentialShape): string {
  if (shape.technology === 'sev-snp') return 'sev-snp-guest'
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
