import type { MachineShape } from '../hypervisor/index.ts'
import type { ConsoleLog } from './console-log.ts'
import type { StartedMachine, StarterContext } from './start-attempt.ts'
import type { InstanceSpec } from './vm-spec.ts'

/** Starts an instance: it runs as soon as its processors do, what it boots is its owner's. */
export async function startInstance(
  spec: InstanceSpec,
  { hypervisor, limits, network }: StarterContext,
  console: ConsoleLog,
  signal: AbortSignal,
): Promise<StartedMachine> {
  const machine = await hypervisor.launch({
    id: spec.id,
    shape: instanceShape(spec),
    start: { kind: 'cold' },
    onConsole: (chunk) => console.write(chunk),
    timeoutMs: limits.bootMs,
    signal,
  })
  const { link, internet, forwards } = spec
  try {
    if (link) await network?.attach({ link, internet, forwards })
  } catch (error) {
    await machine.kill()
    throw error
  }
  return { machine, link: null, startKind: 'cold' }
}

function instanceShape({
  vcpus,
  memoryMiB,
  disks,
  internet,
  link,
  forwardHost,
  forwards,
  gpus,
  confidential,
}: InstanceSpec): MachineShape {
  return {
    boots: 'disk',
    vcpus,
    memoryMiB,
    disks,
    ...(link
      ? { tap: { name: link.tap, mac: link.mac } }
      : { network: { outbound: internet, forwardHost, forwards } }),
    ...(gpus && { gpus }),
    ...(confidential && { confidential }),
  }
}
