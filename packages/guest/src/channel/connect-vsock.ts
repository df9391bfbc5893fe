import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { GuestError } from '../guest-error.ts'
import { connectSocket } from './connect-socket.ts'

const retryMs = 20
const maxAnswerBytes = 64

/**
 * Connects to a port of the guest's through the unix socket on which Firecracker offers its vsock (protocol 05 §6.4):
 * `CONNECT <port>` is answered with `OK <port of the host>`, or, while nobody listens in the guest, by hanging up.
 * Throws `channel_timeout` at the deadline.
 */
export async function connectVsock(path: string, port: number, deadlineMs: number): Promise<Socket> {
  for (;;) {
    const socket = await connectSocket(path, deadlineMs)
    socket.write(`CONNECT ${port}\n`)
    const timer = setTimeout(() => socket.destroy(), Math.max(0, deadlineMs - Date.now()))
    const answer = await readLine(socket).finally(() => clearTimeout(timer))
    if (answer !== null && /^OK \d+$/.test(answer)) return socket
    socket.destroy()
    if (Date.now() >= deadlineMs) {
      throw new GuestError('channel_timeout', `Nobody listens at vsock port ${port} of the guest at ${path}`)
    }
    await sleep(retryMs)
  }
}

/** The first line; what follows it stays in the socket. Null when the socket ends before. */
async function readLine(socket: Socket): Promise<string | null> {
  let text = Buffer.alloc(0)
  const ended = once(socket, 'close').then(
    () => null,
    () => null,
  )
  while (text.length <= maxAnswerBytes) {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) {
      const readable = once(socket, 'readable').then(
        () => 'readable' as const,
        () => null,
      )
      if ((await Promise.race([readable, ended])) === null || socket.readableEnded) return null
      continue
    }
    text = Buffer.concat([text, chunk])
    const end = text.indexOf('\n')
    if (end < 0) continue
    if (text.length > end + 1) socket.unshift(text.subarray(end + 1))
    return text.toString('latin1', 0, end)
  }
  return null
}
