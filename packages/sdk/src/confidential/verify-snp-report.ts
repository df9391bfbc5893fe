import { verify } from 'node:crypto'
import { amdRoots } from './amd-roots.ts'
import { AttestationError } from './attestation-error.ts'
import { assertSnpChain, readSnpChip, type SnpCertificates } from './snp-certificates.ts'
import { parseSnpReport, type SnpReport, type SnpTcb } from './snp-report.ts'

export interface SnpExpectation {
  /** Launch measurements that are fine, 96 hex digits each; the message of the instance names them. */
  measurements: readonly string[]
  /** What the guest must have had signed: up to 64 bytes, the rest being zero. */
  reportData?: Uint8Array
  /** What the host must have said at the launch, 32 bytes. */
  hostData?: Uint8Array
  /** The guest policy of the message; without it, one that forbids debugging and migration agents. */
  policy?: number | bigint
  /** Least versions of the processor's firmware. */
  minimumTcb?: Partial<SnpTcb>
  /** Sha256 of root keys to trust; default: AMD's. */
  roots?: readonly string[]
  /** Default: now. */
  now?: Date
}

/** Firmware and kernel may ask for reports; what runs at lower privilege may not (protocol 05 §19). */
const leastPrivilege = 1

/**
 * Checks that an AMD processor vouches for a guest: that its key descends from AMD's, that it signed the report, and
 * that the guest started as it should and cannot be looked into (protocol 05 §19).
 *
 * @example
 * const report = verifySnpReport(bytes, certificates, { measurements: [expected] })
 * @throws {AttestationError} with what is wrong
 */
export function verifySnpReport(
  bytes: Uint8Array,
  certificates: SnpCertificates,
  expectation: SnpExpectation,
): SnpReport {
  const report = parseSnpReport(bytes)
  assertSnpChain(certificates, expectation.roots ?? Object.values(amdRoots), expectation.now)
  assertSigned(report, certificates)
  assertExpected(report, expectation)
  return report
}

function assertSigned(report: SnpReport, { vcek }: SnpCertificates): void {
  if (report.signingKey !== 'vcek') {
    throw new AttestationError(
      'signature_invalid',
      `The report is signed by a ${report.signingKey} key; only those of chips (VCEK) are taken`,
    )
  }
  const key = { key: vcek.publicKey, dsaEncoding: 'ieee-p1363' as const }
  if (!verify('sha384', report.signed, key, report.signature)) {
    throw new AttestationError('signature_invalid', "The report is not signed by the chip's key")
  }
  const chip = readSnpChip(vcek)
  if (!chip.chipId.equals(report.chipId.subarray(0, chip.chipId.length))) {
    throw new AttestationError('chip_mismatch', 'The report is of another chip than the certificate')
  }
  const differing = components(chip.tcb).find(([name, value]) => report.reportedTcb[name] !== value)
  if (differing) {
    const [name, value] = differing
    const reported = report.reportedTcb[name]
    throw new AttestationError(
      'tcb_mismatch',
      `The report says ${name} version ${reported}, the certificate ${value}`,
    )
  }
}

function assertExpected(report: SnpReport, expectation: SnpExpectation): void {
  const measurement = report.measurement.toString('hex')
  if (!expectation.measurements.includes(measurement)) {
    throw new AttestationError(
      'measurement_mismatch',
      `The guest measures to ${measurement}, which is not expected`,
    )
  }
  if (report.vmpl > leastPrivilege) {
    throw new AttestationError(
      'privilege_refused',
      `The report was asked for at privilege level ${report.vmpl}`,
    )
  }
  assertPolicy(report, expectation.policy)
  const { reportData, hostData, minimumTcb = {} } = expectation
  if (reportData && !padded(reportData, 64).equals(report.reportData)) {
    throw new AttestationError('report_data_mismatch', 'The guest had something else signed than it should')
  }
  if (hostData && !padded(hostData, 32).equals(report.hostData)) {
    throw new AttestationError(
      'report_data_mismatch',
      'The host launched the guest with other data than it should',
    )
  }
  // What the firmware may be rolled back to counts, not what it happens to be.
  for (const [name, least] of components(minimumTcb)) {
    const committed = report.committedTcb[name] ?? 0
    if (committed < least) {
      throw new AttestationError(
        'tcb_too_old',
        `The processor has ${name} version ${committed}, at least ${least} is asked for`,
      )
    }
  }
}

function assertPolicy({ policy }: SnpReport, expected: number | bigint | undefined): void {
  const text = `0x${policy.value.toString(16)}`
  if (expected !== undefined && policy.value !== BigInt(expected)) {
    const wanted = `0x${BigInt(expected).toString(16)}`
    throw new AttestationError(
      'policy_refused',
      `The guest was launched with policy ${text} instead of ${wanted}`,
    )
  }
  if (policy.debug)
    throw new AttestationError('policy_refused', `Policy ${text} lets the host debug the guest`)
  if (policy.migration && expected === undefined) {
    throw new AttestationError(
      'policy_refused',
      `Policy ${text} lets a migration agent have the guest's memory`,
    )
  }
}

function components(tcb: Partial<SnpTcb>): [keyof SnpTcb, number][] {
  return (Object.entries(tcb) as [keyof SnpTcb, number | null | undefined][]).filter(
    (entry): entry is [keyof SnpTcb, number] => typeof entry[1] === 'number',
  )
}

function padded(bytes: Uint8Array, length: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(Math.max(0, length - bytes.length))])
}
