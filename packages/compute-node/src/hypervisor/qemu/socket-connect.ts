import { createConnection, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { HypervisorError } from '../hypervisor.ts'

/** Connects once; rejects with the system's error. */
export function connectSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

/** Connects to a socket that a starting process is about to create. */
export async function connectWhenReady(
  path: string,
  timeoutMs: number,
  stillWorthIt: () => void,
): Promise<Socket> {
  const deadline = Date.now() + timeoutMs
  while (true) {
    stillWorthIt()
    try {
      return await connectSocket(path)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error
    }
    if (Date.now() > deadline) {
      throw new HypervisorError('hypervisor_timeout', `QEMU opened no control socket in ${timeoutMs} ms`)
    }
    await sleep(2)
  }
}
