import {
  createDecipheriv,
  createECDH,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto'
import { expect, test } from 'vitest'
import {
  buildSevSecret,
  createSevSession,
  type SevSession,
  verifySevMeasurement,
} from '../src/confidential/index.ts'
import { encodeDhCertificate, parseSevCertificate, sevUsage } from '../src/confidential/sev-certificate.ts'
import { deriveKey } from '../src/confidential/sev-session.ts'

interface PlatformKey {
  usage: number
  publicKey: KeyObject
  privateKey: KeyObject
}

const [oca, cek, pek, pdh] = [sevUsage.oca, sevUsage.cek, sevUsage.pek, sevUsage.pdh].map((usage) => ({
  usage,
  ...generateKeyPairSync('ec', { namedCurve: 'P-384' }),
})) as [PlatformKey, PlatformKey, PlatformKey, PlatformKey]

function pointOf({ publicKey }: PlatformKey): Buffer {
  const { x, y } = publicKey.export({ format: 'jwk' })
  return Buffer.concat([Buffer.from([4]), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')])
}

/** A certificate as a platform has it, signed by its other keys. */
function certificate(subject: PlatformKey, ...signers: PlatformKey[]): Buffer {
  const bytes = encodeDhCertificate(pointOf(subject))
  bytes.writeUInt32LE(subject.usage, 8)
  bytes.writeUInt32LE(subject === pdh ? 3 : 2, 12)
  signers.forEach(({ usage, privateKey }, slot) => {
    const at = 1044 + slot * 520
    const key = { key: privateKey, dsaEncoding: 'ieee-p1363' as const }
    const signature = sign('sha256', bytes.subarray(0, 1044), key)
    bytes.writeUInt32LE(usage, at)
    bytes.writeUInt32LE(2, at + 4)
    bytes.set(Buffer.from(signature.subarray(0, 48)).reverse(), at + 8)
    bytes.set(Buffer.from(signature.subarray(48)).reverse(), at + 8 + 72)
  })
  return bytes
}

const certificates = Buffer.concat([
  certificate(pdh, pek),
  certificate(pek, oca, cek),
  certificate(oca, oca),
  certificate(cek),
])

/** What the processor does with a session: agrees on the same secret, and unwraps the owner's keys. */
function unwrap({ session, godh }: SevSession): Buffer {
  const bytes = Buffer.from(session, 'base64')
  const owner = parseSevCertificate(Buffer.from(godh, 'base64'))
  const exchange = createECDH('secp384r1')
  exchange.setPrivateKey(Buffer.from(pdh.privateKey.export({ format: 'jwk' }).d!, 'base64url'))
  const shared = exchange.computeSecret(pointOf({ ...pdh, publicKey: owner.publicKey }))
  const master = deriveKey(shared, bytes.subarray(0, 16), 'sev-master-secret')
  const wrapped = bytes.subarray(16, 48)
  const kik = deriveKey(master, Buffer.alloc(0), 'sev-kik')
  expect(createHmac('sha256', kik).update(wrapped).digest()).toEqual(bytes.subarray(64, 96))
  const kek = deriveKey(master, Buffer.alloc(0), 'sev-kek')
  const decipher = createDecipheriv('aes-128-ctr', kek, bytes.subarray(48, 64))
  return Buffer.concat([decipher.update(wrapped), decipher.final()])
}

test('a session is for the processor with these certificates alone, and binds the policy', () => {
  const made = createSevSession({ certificates, policy: 5 })
  expect(unwrap(made)).toEqual(Buffer.concat([made.tek, made.tik]))
  const policyMac = createHmac('sha256', made.tik)
    .update(Buffer.from([5, 0, 0, 0]))
    .digest()
  expect(Buffer.from(made.session, 'base64').subarray(96)).toEqual(policyMac)
  expect(made.isMadeByAmd).toBe(false)
})

test('keys are derived as AMD’s processors do', () => {
  // Of AMD's SEV library for owners.
  const key = deriveKey(Buffer.alloc(16), Buffer.alloc(16), 'sev-master-secret')
  expect(key.toString('hex')).toBe('ab4d269fcc62bedb4511d56c386ce706')
})

test('a platform whose keys do not hang together is refused', () => {
  const refused = (bytes: Buffer) => () => createSevSession({ certificates: bytes, policy: 1 })
  const forged = Buffer.concat([certificate(pdh, oca), certificates.subarray(2084)])
  expect(refused(forged)).toThrow(/PEK did not sign the PDH/)
  expect(refused(certificates.subarray(2084))).toThrow(/PDH, PEK, OCA and CEK/)
  expect(refused(Buffer.alloc(100))).toThrow(/2084 bytes/)
  const chain = Buffer.alloc(3200)
  expect(refused(Buffer.concat([certificates, chain]))).toThrow(/binary ASK and ARK/)
})

// Of the network's test vectors (protocol 05 §22).
const tik = Buffer.from('9e939311ce26b5119f5df07e1ba10177', 'hex')
const firmware = 'd06471f485c0a61aba5a431ec136b947be56907acf6ed96afb11788ae4525aeb'
const measure = Buffer.from('ls2jv10V3HVShVI/RHCo/a43WO0soLZf0huU9ZZstIw=', 'base64')
const nonce = Buffer.from('URQNqJAqh/2ep4drjx/XvA==', 'base64')
const measurement = {
  apiMajor: 1,
  apiMinor: 55,
  buildId: 24,
  policy: 1,
  launchMeasure: Buffer.concat([measure, nonce]).toString('base64'),
}

test('a measurement is of one firmware, one policy and one session', () => {
  verifySevMeasurement(measurement, { tik, policy: 1, firmware })
  const refused = (changes: object, expected = {}) => {
    return () =>
      verifySevMeasurement({ ...measurement, ...changes }, { tik, policy: 1, firmware, ...expected })
  }
  expect(refused({ policy: 0 })).toThrow(/policy 0 instead of 1/)
  expect(refused({ buildId: 25 })).toThrow(/other firmware/)
  expect(refused({}, { firmware: '00'.repeat(32) })).toThrow(/other firmware/)
  expect(refused({}, { tik: Buffer.alloc(16) })).toThrow(/other firmware/)
  expect(refused({ launchMeasure: 'AAAA' })).toThrow(/48/)
})

test('a secret is a table that the processor can open', () => {
  const tek = Buffer.alloc(16, 7)
  const packed = buildSevSecret('open sesame', { tek, tik }, measurement.launchMeasure)
  const [header, secret] = [Buffer.from(packed.packetHeader, 'base64'), Buffer.from(packed.secret, 'base64')]
  const [flags, iv, mac] = [header.subarray(0, 4), header.subarray(4, 20), header.subarray(20)]
  const length = Buffer.from([secret.length, 0, 0, 0])
  const signed = Buffer.concat([Buffer.from([1]), flags, iv, length, length, secret, measure])
  expect(createHmac('sha256', tik).update(signed).digest()).toEqual(mac)
  const decipher = createDecipheriv('aes-128-ctr', tek, iv)
  const table = Buffer.concat([decipher.update(secret), decipher.final()])
  expect(table.toString('hex')).toBe(
    '42f5741edd71664d963eef4287ff173b40000000' +
      'e5696873f084734992ec06879ce3da0b20000000' +
      `${Buffer.from('open sesame\0').toString('hex')}${'00'.repeat(12)}`,
  )
})
