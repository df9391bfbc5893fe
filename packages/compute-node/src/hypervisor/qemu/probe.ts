import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { z } from 'zod'
import { writeFileAtomic } from '../atomic-file.ts'
import { type Accelerator, HypervisorError, type LaunchRequest, type Machine } from '../hypervisor.ts'

type RealAccelerator = Exclude<Accelerator, 'none'>

/** A guest that takes longer under KVM is not really running under KVM. */
const kvmBootTimeoutMs = 6_000
const tcgBootTimeoutMs = 60_000
const probeMemoryMiB = 128

/** What the probe found out. */
export interface ProbeAnswer {
  accelerator: RealAccelerator
  /** Why it is not KVM. */
  reason?: string
  /** From spawning QEMU to the guest agent's hello. */
  bootMs: number
}

const rememberedSchema = z.object({
  key: z.string(),
  answer: z.object({
    accelerator: z.enum(['kvm', 'tcg']),
    reason: z.string().optional(),
    bootMs: z.number(),
  }),
})

export interface ProbeOptions {
  dataDir: string
  /** Whatever else the answer depends on. */
  inputs: Record<string, string | number>
  log: Logger
  launch: (accelerator: RealAccelerator, request: LaunchRequest) => Promise<Machine>
}

/**
 * Decides KVM or TCG by booting the guest's own kernel and agent: `/dev/kvm` exists on machines whose KVM
 * cannot run a guest (protocol 05 §21.5). The answer is kept in the data directory until QEMU, the guest
 * images, the host's kernel or processor change.
 *
 * @throws HypervisorError when the guest boots under neither.
 */
export async function probeAccelerator(options: ProbeOptions): Promise<ProbeAnswer> {
  const file = join(options.dataDir, 'hypervisor-probe.json')
  const key = createHash('sha256')
    .update(JSON.stringify([options.inputs, release(), cpus()[0]?.model]))
    .digest('hex')
  const remembered = await readAnswer(file, key)
  if (remembered) return remembered
  const answer = await probe(options)
  options.log.info(answer, `guests run under ${answer.accelerator}`)
  await writeFileAtomic(file, JSON.stringify({ key, answer }))
  return answer
}

async function probe(options: ProbeOptions): Promise<ProbeAnswer> {
  let reason: string
  try {
    return { accelerator: 'kvm', bootMs: await bootOnce('kvm', kvmBootTimeoutMs, options) }
  } catch (error) {
    if (error instanceof HypervisorError && error.code === 'hypervisor_missing') throw error
    reason = error instanceof Error ? error.message : String(error)
  }
  try {
    return { accelerator: 'tcg', reason, bootMs: await bootOnce('tcg', tcgBootTimeoutMs, options) }
  } catch (error) {
    throw new HypervisorError(
      'hypervisor_failed',
      `no guest boots here: neither under KVM (${reason}) nor in software (${error instanceof Error ? error.message : String(error)})`,
      { cause: error },
    )
  }
}

function bootOnce(
  accelerator: RealAccelerator,
  timeoutMs: number,
  { launch, log }: ProbeOptions,
): Promise<number> {
  return bootProbeGuest((request) => launch(accelerator, request), timeoutMs, log)
}

/** Boots a small guest to its agent and ends it; how long that took, milliseconds. Rejects when it does not boot. */
export async function bootProbeGuest(
  launch: (request: LaunchRequest) => Promise<Machine>,
  timeoutMs: number,
  log: Logger,
): Promise<number> {
  const startedAt = performance.now()
  const machine = await launch({
    id: 'probe',
    shape: { vcpus: 1, memoryMiB: probeMemoryMiB, disks: [] },
    start: { kind: 'cold' },
    onConsole: (chunk) => log.trace({ console: Buffer.from(chunk).toString() }, 'probe guest'),
    timeoutMs,
  })
  try {
    const died = machine.exited.then(({ reason }) => {
      throw new HypervisorError('hypervisor_failed', reason)
    })
    const link = await Promise.race([machine.connect(timeoutMs), died])
    const bootMs = Math.round(performance.now() - startedAt)
    await link.close()
    return bootMs
  } finally {
    await machine.kill()
  }
}

async function readAnswer(file: string, key: string): Promise<ProbeAnswer | null> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const parsed = rememberedSchema.safeParse(parseJson(text))
  return parsed.success && parsed.data.key === key ? parsed.data.answer : null
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
