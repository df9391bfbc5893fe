import type { AmdProduct } from './amd-roots.ts'
import { AttestationError } from './attestation-error.ts'

/** Length of a report, bytes (AMD's SEV-SNP firmware ABI, ATTESTATION_REPORT). */
export const snpReportBytes = 1184
/** What the processor signs: all before the signature. */
export const snpSignedBytes = 0x2a0
const coordinateBytes = 72
const scalarBytes = 48

/** Versions of what a guest has to trust in the processor: each a security number that only grows. */
export interface SnpTcb {
  /** Only of processors from Turin on. */
  fmc: number | null
  bootloader: number
  tee: number
  snp: number
  microcode: number
}

/** What the guest's launch allowed its host. */
export interface SnpPolicy {
  value: bigint
  /** The host may debug the guest, and so read its memory. */
  debug: boolean
  /** The guest may be moved by a migration agent, which then sees its memory. */
  migration: boolean
  /** The guest may share a core with another thread. */
  smt: boolean
}

/** Who signed: the chip's own key, or the one of a cloud provider. */
export type SnpSigningKey = 'vcek' | 'vlek' | 'none'

/** A report of an AMD processor about a SEV-SNP guest, as it stands in its 1,184 bytes. */
export interface SnpReport {
  version: number
  /** Family of the processor; undefined: the report does not tell. */
  product: AmdProduct | undefined
  guestSvn: number
  policy: SnpPolicy
  /** Privilege level of the asker: 0 is the highest. */
  vmpl: number
  signingKey: SnpSigningKey
  /** The 64 bytes that the guest had signed. */
  reportData: Buffer
  /** Digest of what was in the guest's memory when it started, 48 bytes. */
  measurement: Buffer
  /** What the host said of the guest at its launch, 32 bytes. */
  hostData: Buffer
  /** Digest of the key that signed the guest's identity block, 48 bytes; zeros: none. */
  idKeyDigest: Buffer
  chipId: Buffer
  /** By which the signing key was made. */
  reportedTcb: SnpTcb
  committedTcb: SnpTcb
  launchTcb: SnpTcb
  /** The bytes that are signed. */
  signed: Buffer
  /** r ‖ s, big-endian, 96 bytes. */
  signature: Buffer
}

const signingKeys: readonly SnpSigningKey[] = ['vcek', 'vlek']
const ecdsaP384Sha384 = 1

/**
 * Reads a report. It says nothing yet of who made it: see `verifySnpReport`.
 *
 * @throws {AttestationError} `report_malformed`
 */
export function parseSnpReport(bytes: Uint8Array): SnpReport {
  if (bytes.length !== snpReportBytes) {
    throw malformed(`has ${bytes.length} bytes instead of ${snpReportBytes}`)
  }
  const report = Buffer.from(bytes)
  const version = report.readUInt32LE(0)
  if (version < 2 || version > 5) throw malformed(`is of version ${version}; known are 2 to 5`)
  if (report.readUInt32LE(0x34) !== ecdsaP384Sha384) throw malformed('is not signed by ECDSA P-384')
  const chipId = report.subarray(0x1a0, 0x1e0)
  const product = version >= 3 ? productOf(report.readUInt8(0x188), report.readUInt8(0x189)) : undefined
  const isTurin = product === 'Turin' || (product === undefined && hasShortId(chipId))
  const tcbAt = (offset: number) => parseTcb(report.subarray(offset, offset + 8), isTurin)
  return {
    version,
    product,
    guestSvn: report.readUInt32LE(0x4),
    policy: parsePolicy(report.readBigUInt64LE(0x8)),
    vmpl: report.readUInt32LE(0x30),
    signingKey: signingKeys[(report.readUInt32LE(0x48) >> 2) & 7] ?? 'none',
    reportData: report.subarray(0x50, 0x90),
    measurement: report.subarray(0x90, 0xc0),
    hostData: report.subarray(0xc0, 0xe0),
    idKeyDigest: report.subarray(0xe0, 0x110),
    chipId,
    reportedTcb: tcbAt(0x180),
    committedTcb: tcbAt(0x1e0),
    launchTcb: tcbAt(0x1f0),
    signed: report.subarray(0, snpSignedBytes),
    signature: Buffer.concat([
      bigEndian(report.subarray(snpSignedBytes, snpSignedBytes + coordinateBytes)),
      bigEndian(report.subarray(snpSignedBytes + coordinateBytes, snpSignedBytes + 2 * coordinateBytes)),
    ]),
  }
}

/** How much of the 64 bytes names a chip. */
export function chipIdBytes(product: AmdProduct): number {
  return product === 'Turin' ? 8 : 64
}

/** Family and model as the processor tells them. */
function productOf(family: number, model: number): AmdProduct | undefined {
  if (family === 0x1a) return 'Turin'
  if (family !== 0x19) return undefined
  if (model < 0x10) return 'Milan'
  return model < 0x20 || (model >= 0xa0 && model < 0xb0) ? 'Genoa' : undefined
}

function hasShortId(chipId: Buffer): boolean {
  const length = chipIdBytes('Turin')
  return chipId.subarray(length).every((byte) => byte === 0) && chipId.some((byte) => byte !== 0)
}

function parseTcb(bytes: Buffer, isTurin: boolean): SnpTcb {
  const microcode = bytes.readUInt8(7)
  if (!isTurin) {
    return {
      fmc: null,
      bootloader: bytes.readUInt8(0),
      tee: bytes.readUInt8(1),
      snp: bytes.readUInt8(6),
      microcode,
    }
  }
  const [fmc, bootloader, tee, snp] = [0, 1, 2, 3].map((offset) => bytes.readUInt8(offset))
  return { fmc: fmc!, bootloader: bootloader!, tee: tee!, snp: snp!, microcode }
}

function parsePolicy(value: bigint): SnpPolicy {
  const bit = (position: bigint) => ((value >> position) & 1n) === 1n
  return { value, smt: bit(16n), migration: bit(18n), debug: bit(19n) }
}

/** Numbers of a signature stand little-endian in 72 bytes each, of which P-384 fills 48. */
function bigEndian(bytes: Buffer): Buffer {
  if (bytes.subarray(scalarBytes).some((byte) => byte !== 0))
    throw malformed('has a signature of another curve')
  return Buffer.from(bytes.subarray(0, scalarBytes)).reverse()
}

function malformed(what: string): AttestationError {
  return new AttestationError('report_malformed', `The attestation report ${what}`)
}
