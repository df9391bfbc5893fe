import { createHash, type KeyObject, randomBytes } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import { connect, type TLSSocket } from 'node:tls'
import { z } from 'zod'
import { AlephApiError, AlephError } from '../errors.ts'
import { AttestationError } from './attestation-error.ts'
import { readElements, readExtensions } from './der.ts'
import type { SnpCertificates } from './snp-certificates.ts'
import { parseSnpReport, type SnpReport } from './snp-report.ts'
import { type SnpExpectation, verifySnpReport } from './verify-snp-report.ts'

/** Extension of a guest's certificate that holds its report (protocol 05 §19). */
const reportOid = '1.3.6.1.4.1.60000.1.1'
const nonceBytes = 32
const maxAnswerBytes = 64 * 1024
const defaultTimeoutMs = 30_000
const secretName = /^[A-Za-z0-9_-]{1,64}$/
const maxSecrets = 16
const maxSecretBytes = 64 * 1024

const reportSchema = z.looseObject({ tee_type: z.string(), data: z.hex().max(16_384) })
const releaseSchema = z.looseObject({ injected: z.array(z.string()) })

/** A guest of a SEV-SNP machine, and what it has to prove. */
export interface AttestedGuest {
  /** Where its agent listens: `https://…:8443`. */
  url: string
  expectation: Omit<SnpExpectation, 'reportData'>
  /** Finds the certificates of the chip that made a report, as `fetchSnpCertificates` does. */
  certificates: (report: SnpReport) => Promise<SnpCertificates>
  /** For each connection. Default 30 s. */
  timeoutMs?: number
  signal?: AbortSignal
}

/**
 * Has a guest prove what it is: that the key it speaks TLS with was made inside it, and that it can have a nonce of
 * ours signed now (protocol 05 §19).
 *
 * @throws {AttestationError} with what is wrong
 * @throws {AlephError} `network_unreachable`, `bad_response`, `timeout`
 */
export async function attestGuest(guest: AttestedGuest): Promise<SnpReport> {
  const nonce = randomBytes(nonceBytes)
  const path = `/.well-known/attestation?nonce=${nonce.toString('hex')}`
  const bytes = parseReport(await ask(guest, { method: 'GET', path }))
  const certificates = await guest.certificates(parseSnpReport(bytes))
  return verifySnpReport(bytes, certificates, { ...guest.expectation, reportData: nonce })
}

/**
 * Hands secrets to a guest once it has proved what it is, on the very connection that it proved it on. A guest takes
 * them once (protocol 05 §19); `luks_passphrase` opens its disk. Returns the names that it took.
 *
 * @throws {AttestationError} with what is wrong; nothing was sent then
 * @throws {AlephError} `conflict` when it has them already, and as `attestGuest`
 */
export async function releaseSecrets(
  guest: AttestedGuest,
  secrets: Readonly<Record<string, string>>,
): Promise<string[]> {
  assertSecrets(secrets)
  await attestGuest(guest)
  const body = JSON.stringify(secrets)
  const answer = await ask(guest, { method: 'POST', path: '/confidential/inject-secret', body })
  const parsed = releaseSchema.safeParse(answer)
  if (parsed.success) return parsed.data.injected
  throw new AlephError('bad_response', 'The guest does not say which secrets it took')
}

function assertSecrets(secrets: Readonly<Record<string, string>>): void {
  const entries = Object.entries(secrets)
  const problem =
    entries.length === 0 || entries.length > maxSecrets
      ? `there must be 1 to ${maxSecrets}`
      : entries.some(([name]) => !secretName.test(name))
        ? 'names have 1 to 64 letters, digits, "_" and "-"'
        : entries.some(([, value]) => Buffer.byteLength(value) > maxSecretBytes)
          ? `each has at most ${maxSecretBytes} bytes`
          : null
  if (problem) throw new AlephError('invalid_argument', `Secrets cannot be sent: ${problem}`)
}

interface Question {
  method: 'GET' | 'POST'
  path: string
  body?: string
}

/** One request on a connection of its own, made only when the guest's certificate has been verified. */
async function ask(guest: AttestedGuest, { method, path, body }: Question): Promise<unknown> {
  const { hostname, host } = new URL(guest.url)
  const socket = await connectTls(guest)
  const deadline = setTimeout(() => socket.destroy(new Error('no answer in time')), timeoutOf(guest))
  try {
    await verifyPeer(guest, socket)
    const headers = {
      host,
      connection: 'close',
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({ method, path, headers, createConnection: () => socket }, resolve)
      sent.once('error', reject)
      sent.end(body)
    })
    const text = await readText(response)
    if (response.statusCode === 200) return JSON.parse(text)
    const url = `https://${hostname}${path.split('?', 1)[0]}`
    throw new AlephApiError({
      status: response.statusCode ?? 0,
      method,
      url,
      details: parseJson(text) ?? text,
    })
  } catch (error) {
    if (error instanceof AttestationError || error instanceof AlephError) throw error
    throw new AlephError('bad_response', `The guest at ${guest.url} broke off: ${(error as Error).message}`, {
      cause: error,
    })
  } finally {
    clearTimeout(deadline)
    socket.destroy()
  }
}

/** Guests sign their certificates themselves: who they are is told by the report inside. */
async function connectTls(guest: AttestedGuest): Promise<TLSSocket> {
  const { hostname, port, protocol } = new URL(guest.url)
  if (protocol !== 'https:') throw new AlephError('invalid_argument', `${guest.url} is no https URL`)
  const host = hostname.replace(/^\[|\]$/g, '')
  guest.signal?.throwIfAborted()
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    })
    const fail = (cause: Error) => {
      socket.destroy()
      reject(new AlephError('network_unreachable', `No TLS with ${guest.url}: ${cause.message}`, { cause }))
    }
    const timer = setTimeout(() => fail(new Error('no answer in time')), timeoutOf(guest))
    const onAbort = () => fail(new Error('called off'))
    guest.signal?.addEventListener('abort', onAbort, { once: true })
    socket.once('error', fail)
    socket.once('close', () => guest.signal?.removeEventListener('abort', onAbort))
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })
}

/** The report in the certificate must be of a guest as expected, about the very key of this connection. */
async function verifyPeer(guest: AttestedGuest, socket: TLSSocket): Promise<void> {
  const certificate = socket.getPeerX509Certificate()
  if (!certificate) throw new AttestationError('certificate_malformed', 'The guest shows no certificate')
  const bytes = readReport(certificate.raw)
  const certificates = await guest.certificates(parseSnpReport(bytes))
  const reportData = createHash('sha384').update(rawPublicKey(certificate.publicKey)).digest()
  verifySnpReport(bytes, certificates, { ...guest.expectation, reportData })
}

function readReport(certificate: Buffer): Buffer {
  let text: string | undefined
  try {
    const [element] = readElements(readExtensions(certificate).get(reportOid) ?? Buffer.alloc(0))
    text = element?.content.toString('utf8')
  } catch (cause) {
    throw new AttestationError('certificate_malformed', "The guest's certificate cannot be read", { cause })
  }
  if (text !== undefined) return parseReport(parseJson(text))
  throw new AttestationError('certificate_malformed', "The guest's certificate holds no attestation report")
}

function parseReport(value: unknown): Buffer {
  const parsed = reportSchema.safeParse(value)
  if (parsed.success && parsed.data.tee_type === 'sev-snp') return Buffer.from(parsed.data.data, 'hex')
  throw new AttestationError('report_malformed', 'The guest shows no attestation report of SEV-SNP')
}

/** The point as the certificate holds it: 04 ‖ x ‖ y. */
function rawPublicKey(key: KeyObject): Buffer {
  const { x, y, kty } = key.export({ format: 'jwk' })
  if (kty === 'EC' && x && y) {
    return Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
  }
  throw new AttestationError('certificate_malformed', "The guest's key is on no elliptic curve")
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxAnswerBytes) throw new Error(`an answer of more than ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function timeoutOf({ timeoutMs = defaultTimeoutMs }: AttestedGuest): number {
  return timeoutMs
}
