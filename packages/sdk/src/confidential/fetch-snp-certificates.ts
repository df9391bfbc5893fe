import { AlephError } from '../errors.ts'
import { requestStream } from '../http/request.ts'
import { createTransport } from '../http/transport.ts'
import type { AmdProduct } from './amd-roots.ts'
import { parseSnpCertificates, type SnpCertificates } from './snp-certificates.ts'
import { chipIdBytes, type SnpReport } from './snp-report.ts'

const amdKeyServer = 'https://kdsintf.amd.com'
const maxAnswerBytes = 64 * 1024

export interface FetchSnpCertificatesOptions {
  /** Family of the processor; reports of version 2 do not tell theirs. */
  product?: AmdProduct
  /** Another server with AMD's certificates, such as one's own cache. */
  keyServer?: string
  signal?: AbortSignal
}

/**
 * Fetches the certificates of the chip that made a report from AMD's key server, which may be asked little often.
 *
 * @throws {AlephError} `invalid_argument` without a family, and those of a request
 * @throws {AttestationError} `certificate_malformed`
 */
export async function fetchSnpCertificates(
  report: SnpReport,
  options: FetchSnpCertificatesOptions = {},
): Promise<SnpCertificates> {
  const { keyServer = amdKeyServer, signal } = options
  const product = report.product ?? options.product
  if (product === undefined) {
    throw new AlephError('invalid_argument', 'The report does not tell the family of its processor', {
      hint: 'Name it: Milan, Genoa or Turin.',
    })
  }
  const { fmc, bootloader, tee, snp, microcode } = report.reportedTcb
  const chip = report.chipId.subarray(0, chipIdBytes(product)).toString('hex')
  const query = {
    ...(fmc === null ? {} : { fmcSPL: fmc }),
    blSPL: bootloader,
    teeSPL: tee,
    snpSPL: snp,
    ucodeSPL: microcode,
  }
  const transport = createTransport(keyServer)
  const get = async (path: string, parameters = {}) => {
    const answer = await requestStream(transport, path, { query: parameters, ...(signal ? { signal } : {}) })
    return readAll(answer, maxAnswerBytes)
  }
  const chain = await get(`/vcek/v1/${product}/cert_chain`)
  return parseSnpCertificates(chain.toString('latin1'), await get(`/vcek/v1/${product}/${chip}`, query))
}

async function readAll(response: Response, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > limit)
      throw new AlephError('bad_response', `${response.url} answered with more than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
