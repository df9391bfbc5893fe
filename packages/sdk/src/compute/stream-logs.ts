import { AlephError } from '../errors.ts'
import type { OperatorSession } from './operator-session.ts'

export interface StreamLogsOptions {
  /** Ends the iteration, without an error. */
  signal?: AbortSignal
  /** The WebSocket to use where there is no global one. */
  webSocket?: typeof globalThis.WebSocket
}

export interface VmLogFrame {
  /** `system`: words of the node, not of the VM. */
  stream: 'stdout' | 'stderr' | 'system'
  text: string
}

/**
 * A VM's log by WebSocket: its history, then every new line, until the node or the signal ends it
 * (protocol 05 §10.3). Throws `bad_response` with the node's reason when it refuses.
 */
export async function* streamLogs(
  nodeUrl: string,
  vmHash: string,
  session: OperatorSession,
  options: StreamLogsOptions = {},
): AsyncGenerator<VmLogFrame, void, undefined> {
  const url = `${nodeUrl}/control/machine/${encodeURIComponent(vmHash)}/stream_logs`
  const proof = await session.headers('GET', url)
  const auth = Object.fromEntries(Object.entries(proof).map(([name, value]) => [name, JSON.parse(value)]))
  const socket = new (options.webSocket ?? globalThis.WebSocket)(url.replace(/^http/, 'ws'))
  const frames: string[] = []
  let closed = false
  let wake: () => void = () => undefined
  const close = () => {
    closed = true
    wake()
  }
  socket.addEventListener('open', () => socket.send(JSON.stringify({ auth })))
  socket.addEventListener('message', (event) => {
    if (typeof event.data === 'string') frames.push(event.data)
    wake()
  })
  socket.addEventListener('close', close)
  socket.addEventListener('error', close)
  options.signal?.addEventListener('abort', close)
  try {
    while (!options.signal?.aborted) {
      const frame = frames.shift()
      if (frame !== undefined) yield* parseFrame(frame)
      else if (closed) return
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    options.signal?.removeEventListener('abort', close)
    socket.close()
  }
}

function* parseFrame(frame: string): Generator<VmLogFrame> {
  const { status, reason, type, message } = JSON.parse(frame) as Record<string, unknown>
  if (status === 'failed') {
    throw new AlephError('bad_response', `The node does not show the log: ${String(reason)}`, {
      hint: 'Only the owner of a VM, or somebody its security aggregate names, may read its log.',
    })
  }
  if (type === 'stdout' || type === 'stderr' || type === 'system') {
    yield { stream: type, text: String(message) }
  }
}
