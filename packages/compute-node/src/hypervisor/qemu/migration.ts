import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { chmod, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { HypervisorError } from '../hypervisor.ts'
import type { QmpClient } from './qmp-client.ts'

/** Device state without memory is some tens of KiB; more than this is not a snapshot of ours. */
const maxStateBytes = 64 * 1024 * 1024
const migrationTimeoutMs = 30_000

/**
 * Pauses the machine and writes its device state. Memory is not in it: it already stands in the shared
 * memory file, which `x-ignore-shared` leaves alone. The stream passes a socket because the sandbox
 * forbids QEMU to spawn `cat`.
 */
export async function saveDeviceState(qmp: QmpClient, socketPath: string, statePath: string): Promise<void> {
  await qmp.execute('stop')
  await qmp.execute('migrate-set-capabilities', {
    capabilities: [leaveMemory, { capability: 'events', state: true }],
  })
  const server = createServer()
  try {
    server.listen(socketPath)
    await once(server, 'listening')
    // The folder lets only this machine's user in.
    await chmod(socketPath, 0o666)
    const received = once(server, 'connection').then(([socket]) =>
      pipeline(socket, limitBytes(maxStateBytes), createWriteStream(statePath, { flags: 'wx', mode: 0o600 })),
    )
    await Promise.all([received, migrationEnd(qmp), qmp.execute('migrate', { uri: `unix:${socketPath}` })])
  } finally {
    server.close()
    await rm(socketPath, { force: true })
  }
}

/**
 * Loads device state from a descriptor that QEMU inherited into a machine started with `-incoming defer`, which then
 * goes on. QEMU reads its control socket byte by byte, so this says as little as will do, all of it at once; when the
 * state does not fit, QEMU ends.
 */
export async function loadDeviceState(qmp: QmpClient, descriptor: number): Promise<void> {
  const runs = qmp.waitFor('RESUME', () => true, migrationTimeoutMs)
  await Promise.all([
    runs,
    qmp.execute('migrate-set-capabilities', { capabilities: [leaveMemory] }),
    qmp.execute('migrate-incoming', { uri: `fd:${descriptor}` }),
  ])
}

/** Memory is in a file already. */
const leaveMemory = { capability: 'x-ignore-shared', state: true }

async function migrationEnd(qmp: QmpClient): Promise<void> {
  const { status } = await qmp.waitFor(
    'MIGRATION',
    (data) => data.status === 'completed' || data.status === 'failed',
    migrationTimeoutMs,
  )
  if (status === 'failed') {
    throw new HypervisorError('hypervisor_failed', 'QEMU could not transfer the device state')
  }
}

function limitBytes(limit: number) {
  return async function* (source: AsyncIterable<Uint8Array>) {
    let seen = 0
    for await (const chunk of source) {
      seen += chunk.length
      if (seen > limit) {
        throw new HypervisorError('hypervisor_failed', `device state is larger than ${limit} bytes`)
      }
      yield chunk
    }
  }
}
