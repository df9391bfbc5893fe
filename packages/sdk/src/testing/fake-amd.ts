import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A processor maker of our own: certificates and reports as AMD's, with keys that nobody trusts. */
export interface FakeAmd {
  /** Sha256 of the root's public key. */
  root: string
  /** ASK and ARK, as the key server gives them. */
  chain: string
  vcek: Buffer
  /** A report, signed by the chip; `edit` may change what is signed. */
  report(reportData: Uint8Array, edit?: (report: Buffer) => void): Buffer
}

export const chipId = createHash('sha512').update('a chip').digest()
export const measurement = createHash('sha384').update('a guest').digest()
/** Versions of the chip's firmware: bootloader, TEE, SNP, microcode. */
export const tcb = { bootloader: 3, tee: 1, snp: 8, microcode: 115 }

const amdOid = '1.3.6.1.4.1.3704.1.'
const rsaPss = '1.2.840.113549.1.1.10'
const sha384 = '2.16.840.1.101.3.4.2.2'
const mgf1 = '1.2.840.113549.1.1.8'
const ecdsaSha384 = '1.2.840.10045.4.3.3'
const commonName = '2.5.4.3'

export function fakeAmd(): FakeAmd {
  const [ark, ask] = [rsaKey(), rsaKey()]
  const chip = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const arkCertificate = certificate('ARK-Fake', 'ARK-Fake', ark.publicKey, ark.privateKey)
  const askCertificate = certificate('SEV-Fake', 'ARK-Fake', ask.publicKey, ark.privateKey)
  const extensions = [
    extension(`${amdOid}3.1`, integer(tcb.bootloader)),
    extension(`${amdOid}3.2`, integer(tcb.tee)),
    extension(`${amdOid}3.3`, integer(tcb.snp)),
    extension(`${amdOid}3.8`, integer(tcb.microcode)),
    extension(`${amdOid}4`, chipId),
  ]
  return {
    root: createHash('sha256').update(spki(ark.publicKey)).digest('hex'),
    chain: pem(askCertificate) + pem(arkCertificate),
    vcek: certificate('SEV-VCEK', 'SEV-Fake', chip.publicKey, ask.privateKey, extensions),
    report: (reportData, edit) => signedReport(chip.privateKey, reportData, edit),
  }
}

/** A certificate of a guest, signed by its own key. */
export function guestCertificate(
  key: { publicKey: KeyObject; privateKey: KeyObject },
  report: Buffer,
): string {
  const text = JSON.stringify({ tee_type: 'sev-snp', data: report.toString('hex') })
  const extensions = [extension('1.3.6.1.4.1.60000.1.1', der(0x04, Buffer.from(text)))]
  return pem(certificate('localhost', 'localhost', key.publicKey, key.privateKey, extensions))
}

function signedReport(key: KeyObject, reportData: Uint8Array, edit?: (report: Buffer) => void): Buffer {
  const report = Buffer.alloc(1184)
  report.writeUInt32LE(3, 0)
  report.writeBigUInt64LE(0x30000n, 0x8)
  report.writeUInt32LE(1, 0x34)
  report.set(reportData, 0x50)
  report.set(measurement, 0x90)
  report.set([0x19, 0x01], 0x188)
  report.set(chipId, 0x1a0)
  for (const offset of [0x38, 0x180, 0x1e0, 0x1f0]) {
    report.set([tcb.bootloader, tcb.tee, 0, 0, 0, 0, tcb.snp, tcb.microcode], offset)
  }
  edit?.(report)
  const signature = sign('sha384', report.subarray(0, 0x2a0), { key, dsaEncoding: 'ieee-p1363' })
  report.set(Buffer.from(signature.subarray(0, 48)).reverse(), 0x2a0)
  report.set(Buffer.from(signature.subarray(48)).reverse(), 0x2a0 + 72)
  return report
}

function rsaKey() {
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

function certificate(
  subject: string,
  issuer: string,
  publicKey: KeyObject,
  signer: KeyObject,
  extensions: Buffer[] = [],
): Buffer {
  const isRsa = signer.asymmetricKeyType === 'rsa'
  const algorithm = isRsa ? pssAlgorithm() : sequence(oid(ecdsaSha384))
  const body = sequence(
    der(0xa0, integer(2)),
    integer(1),
    algorithm,
    name(issuer),
    sequence(utcTime(-1), utcTime(1)),
    name(subject),
    spki(publicKey),
    ...(extensions.length > 0 ? [der(0xa3, sequence(...extensions))] : []),
  )
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }
  const signature = sign('sha384', body, { key: signer, ...(isRsa && pss) })
  return sequence(body, algorithm, bitString(signature))
}

function pssAlgorithm(): Buffer {
  const hash = sequence(oid(sha384), der(0x05))
  const mask = sequence(oid(mgf1), hash)
  return sequence(oid(rsaPss), sequence(der(0xa0, hash), der(0xa1, mask), der(0xa2, integer(48))))
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(0x04, value))
}

function name(text: string): Buffer {
  return sequence(der(0x31, sequence(oid(commonName), der(0x0c, Buffer.from(text)))))
}

function utcTime(days: number): Buffer {
  const time = new Date(Date.now() + days * 86_400_000).toISOString()
  return der(0x17, Buffer.from(`${time.slice(2, 19).replaceAll(/[-T:]/g, '')}Z`))
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' })
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').replaceAll(/(.{64})/g, '$1\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts)
}

function bitString(bytes: Buffer): Buffer {
  return der(0x03, Buffer.from([0]), bytes)
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.from([value]))
}

function oid(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number)
  const bytes = [first! * 40 + second!]
  for (const value of rest) {
    const groups = [value & 0x7f]
    for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return der(0x06, Buffer.from(bytes))
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
