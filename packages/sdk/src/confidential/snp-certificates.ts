import { createHash, X509Certificate } from 'node:crypto'
import { AttestationError } from './attestation-error.ts'
import { readElements, readExtensions } from './der.ts'
import type { SnpTcb } from './snp-report.ts'

/** From AMD's root key to the key that signs a chip's reports. */
export interface SnpCertificates {
  /** AMD's root key. */
  ark: X509Certificate
  /** AMD's key for one family of processors. */
  ask: X509Certificate
  /** The key of one chip with one version of its firmware. */
  vcek: X509Certificate
}

/** What AMD says of the chip in its key's certificate. */
export interface SnpChip {
  chipId: Buffer
  tcb: SnpTcb
}

/** AMD's object identifiers (VCEK certificate and KDS interface specification). */
const oid = {
  fmc: '1.3.6.1.4.1.3704.1.3.9',
  bootloader: '1.3.6.1.4.1.3704.1.3.1',
  tee: '1.3.6.1.4.1.3704.1.3.2',
  snp: '1.3.6.1.4.1.3704.1.3.3',
  microcode: '1.3.6.1.4.1.3704.1.3.8',
  chipId: '1.3.6.1.4.1.3704.1.4',
}
const pemPattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const maxPemBytes = 64 * 1024

/**
 * Reads what AMD's key server gives: the chain of a family as PEM (its key, then the root's) and a chip's certificate
 * as DER or PEM.
 *
 * @throws {AttestationError} `certificate_malformed`
 */
export function parseSnpCertificates(chainPem: string, vcek: Uint8Array | string): SnpCertificates {
  const [ask, ark, ...others] = chainPem.slice(0, maxPemBytes).match(pemPattern) ?? []
  if (ask === undefined || ark === undefined || others.length > 0) {
    throw new AttestationError('certificate_malformed', "AMD's chain must have two certificates, ASK and ARK")
  }
  try {
    return {
      ark: new X509Certificate(ark),
      ask: new X509Certificate(ask),
      vcek: new X509Certificate(typeof vcek === 'string' ? vcek : Buffer.from(vcek)),
    }
  } catch (cause) {
    throw new AttestationError(
      'certificate_malformed',
      `A certificate cannot be read: ${(cause as Error).message}`,
      {
        cause,
      },
    )
  }
}

/**
 * Checks that the chip's key descends from one of the roots, each the sha256 of a public key, and that no certificate
 * has ended. Revocation lists are not read.
 *
 * @throws {AttestationError} `chain_untrusted`
 */
export function assertSnpChain(
  certificates: SnpCertificates,
  roots: readonly string[],
  now = new Date(),
): void {
  const { ark, ask, vcek } = certificates
  const refuse = (why: string) =>
    new AttestationError('chain_untrusted', `The chip's key is not trusted: ${why}`)
  const root = createHash('sha256')
    .update(ark.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
  if (!roots.includes(root)) throw refuse(`its root key ${root} is none of AMD's`)
  for (const [name, certificate] of Object.entries({ ARK: ark, ASK: ask, VCEK: vcek })) {
    const isValid = certificate.validFromDate <= now && now <= certificate.validToDate
    if (!isValid) throw refuse(`the ${name} is valid from ${certificate.validFrom} to ${certificate.validTo}`)
  }
  if (!ark.verify(ark.publicKey)) throw refuse('the ARK did not sign itself')
  if (!ask.verify(ark.publicKey)) throw refuse('the ASK was not signed by the ARK')
  if (!vcek.verify(ask.publicKey)) throw refuse('the VCEK was not signed by the ASK')
  const { namedCurve } = vcek.publicKey.asymmetricKeyDetails ?? {}
  if (namedCurve !== 'secp384r1') throw refuse('the VCEK is no P-384 key')
}

/**
 * Chip and firmware that a key belongs to.
 *
 * @throws {AttestationError} `certificate_malformed`
 */
export function readSnpChip(vcek: X509Certificate): SnpChip {
  try {
    const extensions = readExtensions(vcek.raw)
    const chipId = extensions.get(oid.chipId)
    if (chipId === undefined) throw new RangeError('no chip')
    const number = (name: string): number => {
      const [element] = readElements(extensions.get(name) ?? Buffer.alloc(0))
      if (element === undefined || element.content.length > 2) throw new RangeError(`no extension ${name}`)
      return element.content.readUIntBE(0, element.content.length)
    }
    const { bootloader, tee, snp, microcode } = oid
    return {
      chipId,
      tcb: {
        fmc: extensions.has(oid.fmc) ? number(oid.fmc) : null,
        bootloader: number(bootloader),
        tee: number(tee),
        snp: number(snp),
        microcode: number(microcode),
      },
    }
  } catch (cause) {
    const { message } = cause as Error
    throw new AttestationError('certificate_malformed', `The VCEK does not tell its chip: ${message}`, {
      cause,
    })
  }
}
