import type { Logger } from 'pino'
import type { GuestLink, Hypervisor, Machine, MachineRecord } from '../hypervisor/index.ts'
import type { TapNetwork } from '../network/index.ts'
import { type OnGuestStream, serveGuestStreams } from './guest-setup.ts'
import { isInstance, type VmSpec } from './vm-spec.ts'

export interface AdoptionContext {
  hypervisor: Hypervisor
  network: TapNetwork | null
  onGuestStream: OnGuestStream
  log: Logger
}

/** Takes over a machine that outlived the process which launched it; null, and it is killed, when that fails. */
export async function adoptMachine(
  { hypervisor, network, onGuestStream, log }: AdoptionContext,
  spec: VmSpec,
  record: MachineRecord,
  { onConsole, timeoutMs }: { onConsole: (chunk: Uint8Array) => void; timeoutMs: number },
): Promise<{ machine: Machine; link: GuestLink | null } | null> {
  let machine: Machine | null = null
  try {
    machine = await hypervisor.adopt(record, onConsole)
    if (!machine) return null
    if (isInstance(spec)) {
      if (spec.link && !network) throw new Error('it has a tap, which this node no longer uses')
      return { machine, link: null }
    }
    const link = await machine.connect(timeoutMs)
    if (link.programState !== 'ready') throw new Error(`its program is ${link.programState}`)
    serveGuestStreams(link, spec, onGuestStream)
    return { machine, link }
  } catch (error) {
    log.warn({ err: error }, 'a running VM could not be taken over and is killed')
    await machine?.kill()
    return null
  }
}
