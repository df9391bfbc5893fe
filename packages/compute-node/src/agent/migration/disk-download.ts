import { createHash } from 'node:crypto'
import { lookup as resolveName } from 'node:dns/promises'
import { createWriteStream } from 'node:fs'
import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AgentError } from '../errors.ts'
import type { DiskFile } from './disk-file.ts'

const STALL_MS = 30_000

export interface DiskSource {
  host: string
  /** 443 is spoken to by TLS. */
  port: number
  token: string
  /** Whether an address may be connected to at all. */
  isAllowed: (address: string) => boolean
}

/**
 * Fetches one exported disk into a file; what arrives must be exactly what was announced. Throws AgentError
 * `content_mismatch` or `file_not_found`.
 */
export async function downloadDisk(
  source: DiskSource,
  file: DiskFile,
  target: string,
  onBytes: (count: number) => void,
): Promise<void> {
  const response = await request(source, file)
  if (response.statusCode !== 200) {
    response.destroy()
    throw new AgentError(
      'file_not_found',
      `The source answered ${response.statusCode} for the disk ${file.name}`,
    )
  }
  const digest = createHash('sha256')
  let size = 0
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.byteLength
      digest.update(chunk)
      onBytes(chunk.byteLength)
      done(size > file.size_bytes ? mismatch(file) : null, chunk)
    },
  })
  await pipeline(response, check, createWriteStream(target, { flags: 'wx', mode: 0o600 }))
  if (size !== file.size_bytes || digest.digest('hex') !== file.sha256) throw mismatch(file)
}

async function request(
  { host, port, token, isAllowed }: DiskSource,
  file: DiskFile,
): Promise<IncomingMessage> {
  // The very address that was judged is connected to, whatever the name resolves to a moment later.
  const { address } = await resolveName(host)
  if (!isAllowed(address)) {
    throw new AgentError('invalid_request', `source_host: ${host} is no public address (${address})`)
  }
  const options = {
    host: address,
    port,
    servername: host,
    path: `${file.download_path}?token=${encodeURIComponent(token)}`,
    headers: { host: port === 443 ? host : `${host}:${port}` },
    timeout: STALL_MS,
  }
  return new Promise((resolve, reject) => {
    const outgoing = port === 443 ? getHttps(options, resolve) : getHttp(options, resolve)
    outgoing.once('timeout', () => outgoing.destroy(new Error(`the source sent no byte for ${STALL_MS} ms`)))
    outgoing.once('error', reject)
  })
}

function mismatch({ name }: DiskFile): AgentError {
  return new AgentError('content_mismatch', `The source sent other bytes than announced for the disk ${name}`)
}
