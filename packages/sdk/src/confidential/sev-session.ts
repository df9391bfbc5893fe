import { createCipheriv, createECDH, createHmac, type KeyObject, randomBytes } from 'node:crypto'
import { assertMadeByAmd } from './amd-sev-chain.ts'
import { AttestationError } from './attestation-error.ts'
import {
  encodeDhCertificate,
  isSignedBy,
  parseSevCertificate,
  type SevCertificate,
  sevCertificateBytes,
  sevUsage,
} from './sev-certificate.ts'

const keyBytes = 16

/** The two keys of one launch, known to its owner and to the processor alone. Whoever has them can read its secret. */
export interface SevKeys {
  /** Encrypts, 16 bytes. */
  tek: Buffer
  /** Vouches, 16 bytes. */
  tik: Buffer
}

/** What a launch begins with. */
export interface SevSession extends SevKeys {
  /** For the node, base64: the keys wrapped for the processor. */
  session: string
  /** For the node, base64: the owner's key to agree on a secret with. */
  godh: string
  /** Whether AMD's own keys were found to vouch for the platform; without, its host could have made it up. */
  isMadeByAmd: boolean
}

export interface SevSessionOptions {
  /** The platform's certificates, as a node gives them: PDH ‖ PEK ‖ OCA ‖ CEK, and perhaps ASK ‖ ARK. */
  certificates: Uint8Array
  /** The guest policy of the instance's message. */
  policy: number
  /** ASK ‖ ARK of the processor's family as AMD publishes them, where the certificates do not hold them. */
  amdChain?: Uint8Array
  /** Sha256 of root keys to trust; default: AMD's. */
  roots?: readonly string[]
}

/**
 * Makes the session of one launch (protocol 05 §11, step 3): keys that only the processor with these certificates can
 * unwrap, which it does for a guest of this policy alone.
 *
 * @throws {AttestationError} `certificate_malformed`, `chain_untrusted`
 */
export function createSevSession(options: SevSessionOptions): SevSession {
  const { pdh, isMadeByAmd } = readPlatform(options)
  const exchange = createECDH('secp384r1')
  const point = exchange.generateKeys()
  const shared = exchange.computeSecret(rawPoint(pdh.publicKey))
  const [tek, tik, nonce, iv] = Array.from({ length: 4 }, () => randomBytes(keyBytes))
  const master = deriveKey(shared, nonce!, 'sev-master-secret')
  const cipher = createCipheriv('aes-128-ctr', deriveKey(master, Buffer.alloc(0), 'sev-kek'), iv!)
  const wrapped = Buffer.concat([cipher.update(Buffer.concat([tek!, tik!])), cipher.final()])
  const policy = Buffer.alloc(4)
  policy.writeUInt32LE(options.policy)
  const session = Buffer.concat([
    nonce!,
    wrapped,
    iv!,
    mac(deriveKey(master, Buffer.alloc(0), 'sev-kik'), wrapped),
    mac(tik!, policy),
  ])
  const godh = encodeDhCertificate(point)
  return {
    tek: tek!,
    tik: tik!,
    isMadeByAmd,
    session: session.toString('base64'),
    godh: godh.toString('base64'),
  }
}

/** The platform's own chain always holds; AMD's is checked where it is there to be. */
function readPlatform(options: SevSessionOptions): { pdh: SevCertificate; isMadeByAmd: boolean } {
  const bytes = Buffer.from(options.certificates)
  const wanted = [sevUsage.pdh, sevUsage.pek, sevUsage.oca, sevUsage.cek]
  const parsed = wanted.map((usage, index) => {
    const at = index * sevCertificateBytes
    const certificate = parseSevCertificate(bytes.subarray(at, at + sevCertificateBytes))
    if (certificate.usage === usage) return certificate
    throw new AttestationError(
      'certificate_malformed',
      'The certificates must be PDH, PEK, OCA and CEK, in this order',
    )
  })
  const [pdh, pek, oca, cek] = parsed as [SevCertificate, SevCertificate, SevCertificate, SevCertificate]
  const links: [string, SevCertificate, SevCertificate][] = [
    ['OCA did not sign itself', oca, oca],
    ['OCA did not sign the PEK', pek, oca],
    ['CEK did not sign the PEK', pek, cek],
    ['PEK did not sign the PDH', pdh, pek],
  ]
  const broken = links.find(([, certificate, signer]) => !isSignedBy(certificate, signer))
  if (broken) throw new AttestationError('chain_untrusted', `The platform is not trusted: the ${broken[0]}`)
  const included = bytes.subarray(wanted.length * sevCertificateBytes)
  const chain = options.amdChain ? Buffer.from(options.amdChain) : included
  if (chain.length === 0) return { pdh, isMadeByAmd: false }
  assertMadeByAmd(cek, chain, options.roots)
  return { pdh, isMadeByAmd: true }
}

/** NIST SP 800-108 in counter mode, one block of HMAC-SHA256. */
export function deriveKey(key: Buffer, context: Buffer, label: string): Buffer {
  const [counter, bits] = [Buffer.alloc(4), Buffer.alloc(4)]
  counter.writeUInt32LE(1)
  bits.writeUInt32LE(keyBytes * 8)
  const input = Buffer.concat([counter, Buffer.from(`${label}\0`), context, bits])
  return mac(key, input).subarray(0, keyBytes)
}

function mac(key: Buffer, data: Buffer): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

function rawPoint(key: KeyObject): Buffer {
  const { x, y } = key.export({ format: 'jwk' })
  return Buffer.concat([Buffer.from([4]), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')])
}
