import { createCipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { LaunchMeasurement } from '../compute/compute-node-client.ts'
import { AttestationError } from './attestation-error.ts'
import type { SevKeys } from './sev-session.ts'

/** A secret as the processor takes it, base64. */
export interface SevSecret {
  packetHeader: string
  secret: string
}

const measureBytes = 32
const nonceBytes = 16
const blockBytes = 16
const maxSecretBytes = 4096
/** Of the table of secrets, and of a disk's passphrase in it; as UUIDs stand in memory. */
const tableId = guid('1e74f542-71dd-4d66-963e-ef4287ff173b')
const passphraseId = guid('736869e5-84f0-4973-92ec-06879ce3da0b')

/**
 * Checks that the processor launched this very firmware under this policy (protocol 05 §11, step 6). `firmware` is its
 * sha256 in hex.
 *
 * @throws {AttestationError} `report_malformed`, `policy_refused`, `measurement_mismatch`
 */
export function verifySevMeasurement(
  measurement: LaunchMeasurement,
  expected: { tik: Buffer; policy: number; firmware: string },
): void {
  const answer = Buffer.from(measurement.launchMeasure, 'base64')
  if (answer.length !== measureBytes + nonceBytes) {
    throw new AttestationError('report_malformed', `The measurement has ${answer.length} bytes instead of 48`)
  }
  if (measurement.policy !== expected.policy) {
    throw new AttestationError(
      'policy_refused',
      `The guest was launched with policy ${measurement.policy} instead of ${expected.policy}`,
    )
  }
  const policy = Buffer.alloc(4)
  policy.writeUInt32LE(expected.policy)
  const { apiMajor, apiMinor, buildId } = measurement
  const measure = createHmac('sha256', expected.tik)
    .update(Buffer.from([4, apiMajor, apiMinor, buildId]))
    .update(policy)
    .update(Buffer.from(expected.firmware, 'hex'))
    .update(answer.subarray(measureBytes))
    .digest()
  if (timingSafeEqual(measure, answer.subarray(0, measureBytes))) return
  throw new AttestationError(
    'measurement_mismatch',
    'The guest started from other firmware, or on another processor',
  )
}

/**
 * Packs a disk's passphrase so that the processor of this launch alone can put it into the guest (protocol 05 §11,
 * step 7).
 *
 * @throws RangeError when it is too long
 */
export function buildSevSecret(passphrase: string, { tek, tik }: SevKeys, launchMeasure: string): SevSecret {
  const table = secretTable(Buffer.from(passphrase))
  const iv = randomBytes(blockBytes)
  const cipher = createCipheriv('aes-128-ctr', tek, iv)
  const encrypted = Buffer.concat([cipher.update(table), cipher.final()])
  const flags = Buffer.alloc(4)
  const length = uint32(encrypted.length)
  const measure = Buffer.from(launchMeasure, 'base64').subarray(0, measureBytes)
  const parts = [Buffer.from([1]), flags, iv, length, length, encrypted, measure]
  const mac = createHmac('sha256', tik).update(Buffer.concat(parts)).digest()
  return {
    packetHeader: Buffer.concat([flags, iv, mac]).toString('base64'),
    secret: encrypted.toString('base64'),
  }
}

/** One entry, ended by a zero byte, in whole blocks. */
function secretTable(passphrase: Buffer): Buffer {
  if (passphrase.length > maxSecretBytes) throw new RangeError(`A secret has at most ${maxSecretBytes} bytes`)
  const ended = Buffer.concat([passphrase, Buffer.alloc(1)])
  const entry = Buffer.concat([passphraseId, uint32(passphraseId.length + 4 + ended.length), ended])
  const bare = tableId.length + 4 + entry.length
  const total = Math.ceil(bare / blockBytes) * blockBytes
  return Buffer.concat([tableId, uint32(total), entry, Buffer.alloc(total - bare)])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** The first three groups of a UUID are little-endian in memory. */
function guid(text: string): Buffer {
  const [first, second, third, ...rest] = text.split('-')
  const turned = [first, second, third].map((group) => Buffer.from(group!, 'hex').reverse())
  return Buffer.concat([...turned, Buffer.from(rest.join(''), 'hex')])
}
