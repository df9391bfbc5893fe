import { readFileSync } from 'node:fs'
import type { Accelerator } from '../hypervisor.ts'

const kernelTicksPerSecond = 250

/**
 * Kernel arguments that tell a software-emulated guest how fast its time-stamp counter runs, which is as fast as
 * the host's. Left alone it would measure against an emulated timer, which fails on a busy host: the kernel then
 * has no clock and hangs (protocol 05 §21.5). KVM tells its guests by itself.
 */
export function clockArguments(accelerator: Accelerator): string {
  if (accelerator === 'kvm') return ''
  const khz = hostCounterKhz(readFileSync('/proc/cpuinfo', 'utf8'))
  return `tsc_early_khz=${khz} lpj=${Math.round((khz * 1000) / kernelTicksPerSecond)}`
}

/**
 * The nominal frequency in a processor's name ("… @ 2.60GHz") is that of its counter; `cpu MHz` is too wherever
 * the frequency is not scaled, as on virtual machines and most AMD processors.
 */
export function hostCounterKhz(cpuinfo: string): number {
  const nominal = /^model name\s*:.*@ ([\d.]+)GHz/m.exec(cpuinfo)?.[1]
  if (nominal !== undefined) return Math.round(Number(nominal) * 1e6)
  const current = /^cpu MHz\s*:\s*([\d.]+)/m.exec(cpuinfo)?.[1]
  return current === undefined ? 2_000_000 : Math.round(Number(current) * 1e3)
}
