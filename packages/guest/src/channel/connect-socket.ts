import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { GuestError } from '../guest-error.ts'

const retryMs = 5

function tryConnect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

/** Connects to a unix socket that a hypervisor is about to create. Throws `channel_timeout` at the deadline. */
export async function connectSocket(path: string, deadlineMs: number): Promise<Socket> {
  for (;;) {
    try {
      return await tryConnect(path)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ECONNREFUSED')
        throw new GuestError('channel_closed', `The guest channel at ${path} cannot be opened: ${code}`, {
          cause,
        })
      if (Date.now() >= deadlineMs)
        throw new GuestError('channel_timeout', `No guest channel appeared at ${path}`, { cause })
    }
    await sleep(retryMs)
  }
}
