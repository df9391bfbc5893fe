import { request } from 'node:http'
import { HypervisorError } from '../hypervisor.ts'

const answerTimeoutMs = 30_000
const maxAnswerBytes = 64 * 1024

/** One call of Firecracker's API, which listens at a unix socket. */
export interface ApiCall {
  method: 'PUT' | 'PATCH'
  path: string
  body: Record<string, unknown>
}

/**
 * Makes a call and waits until it is done.
 *
 * @throws HypervisorError with Firecracker's own words when it refuses, or does not answer
 */
export async function callApi(socketPath: string, call: ApiCall): Promise<void> {
  const { status, text } = await exchange(socketPath, call)
  if (status >= 200 && status < 300) return
  throw new HypervisorError(
    'hypervisor_failed',
    `Firecracker refused ${call.method} ${call.path}: ${faultOf(text) || `status ${status}`}`,
  )
}

function exchange(
  socketPath: string,
  { method, path, body }: ApiCall,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(new HypervisorError('hypervisor_failed', `Firecracker does not answer: ${error.message}`))
    const json = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) }
    const options = { socketPath, method, path, headers, timeout: answerTimeoutMs }
    const sent = request(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text = (text + chunk).slice(0, maxAnswerBytes)
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', fail)
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${answerTimeoutMs / 1000} s`)))
    sent.on('error', fail)
    sent.end(json)
  })
}

function faultOf(text: string): string {
  try {
    return String((JSON.parse(text) as { fault_message?: unknown }).fault_message ?? '')
  } catch {
    return ''
  }
}
