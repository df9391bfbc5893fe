import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { AgentError } from '../errors.ts'
import { formatTime } from '../time-format.ts'
import type { VmHost } from '../vm-host.ts'
import { assertOwner, type OwnerAccessOptions } from './owner-access.ts'

export interface LogRoutesOptions extends OwnerAccessOptions {
  vms: VmHost
}

interface LogRequest {
  Params: { ref: string }
  Querystring: { since?: string; limit?: string }
}

/** `GET …/logs`: what the VM printed, also after it stopped (protocol 05 §10.3, §24.3). */
export async function logRoutes(app: FastifyInstance, options: LogRoutesOptions): Promise<void> {
  app.get<LogRequest>('/control/machine/:ref/logs', async (request, reply) => {
    const { ref } = request.params
    await assertOwner(request, ref, options)
    const { since, limit } = request.query
    const lines = logArray(ref, options.vms, { since: parseSince(since), limit: parseLimit(limit) })
    return reply.type('application/json').send(Readable.from(lines))
  })
}

/** Log lines as one JSON array, streamed; field names are the journal's, as clients expect. */
async function* logArray(
  ref: string,
  vms: VmHost,
  options: { since?: number; limit?: number },
): AsyncGenerator<string> {
  yield '['
  let separator = ''
  for await (const { time, text } of vms.logs(ref, options)) {
    const entry = {
      SYSLOG_IDENTIFIER: `vm-${ref}-stdout`,
      MESSAGE: text,
      file: 'stdout',
      __REALTIME_TIMESTAMP: formatTime(time),
    }
    yield `${separator}${JSON.stringify(entry)}`
    separator = ',\n'
  }
  yield ']'
}

/** Epoch seconds or an ISO-8601 time. */
function parseSince(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000
  if (Number.isFinite(seconds)) return seconds
  throw new AgentError('invalid_request', 'since: give epoch seconds or an ISO-8601 time')
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new AgentError('invalid_request', 'limit: give a number of lines')
}
