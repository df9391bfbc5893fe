import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnQemu } from './qemu-process.ts'
import { QmpClient } from './qmp-client.ts'
import { connectWhenReady } from './socket-connect.ts'

const startTimeoutMs = 10_000

/** What a QEMU without a machine, under KVM, says of the processor's SEV. */
export interface SevAnswers {
  /** To `query-sev-capabilities`. */
  capabilities: unknown
  /** Whether it has the object that makes a guest one with SNP (QEMU 9.1 and later). */
  hasSnpGuest: boolean
}

/** @throws HypervisorError with QEMU's words */
export async function querySevCapabilities(): Promise<SevAnswers> {
  const folder = await mkdtemp(join(tmpdir(), 'aleph-sev-'))
  const socket = join(folder, 'qmp')
  const server = ['-chardev', `socket,id=qmp,path=${socket},server=on,wait=off`]
  const args = ['-machine', 'none', '-accel', 'kvm', '-nodefaults', '-display', 'none', ...server]
  const qemu = await spawnQemu([...args, '-mon', 'chardev=qmp,mode=control'], null, [])
  try {
    const connected = await connectWhenReady(socket, startTimeoutMs, () => qemu.assertRunning())
    const qmp = await QmpClient.connect(socket, connected)
    try {
      const capabilities = await qmp.execute('query-sev-capabilities')
      const types = await qmp.execute('qom-list-types', { implements: 'sev-snp-guest' })
      return { capabilities, hasSnpGuest: Array.isArray(types) && types.length > 0 }
    } finally {
      await qmp.execute('quit').catch(() => {})
      qmp.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
