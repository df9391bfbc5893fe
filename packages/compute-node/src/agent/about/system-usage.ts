import { readFile, statfs } from 'node:fs/promises'
import { arch, availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os'

import type { Confidential } from '../confidential/confidential.ts'
import type { GpuDescription, Gpus } from '../gpu/gpus.ts'

/** What the node has and uses, as schedulers and scoring read it (protocol 05 §16). kB are thousands of bytes. */
export interface SystemUsage {
  cpu: {
    count: number
    load_average: { load1: number; load5: number; load15: number }
    core_frequencies: { min: number; max: number }
  }
  mem: { total_kB: number; available_kB: number }
  disk: { total_kB: number; available_kB: number }
  period: { start_timestamp: string; duration_seconds: number }
  properties: {
    cpu: { architecture: string; vendor: string; features: string[] }
    /** Only where guests with SEV-SNP run. */
    tee?: { sev_snp: { supported_vcpu_types: readonly string[] } }
  }
  gpu: { devices: GpuDescription[]; available_devices: GpuDescription[] }
  active: boolean
}

export interface SystemUsageOptions {
  /** On the file system whose space counts. */
  dataDir: string
  /** Bytes of what is free there that are promised to disks which have not grown to their size yet (protocol 05 §14). */
  promisedBytes: () => Promise<number>
  gpus: Gpus
  confidential: Pick<Confidential, 'snpVcpuTypes'>
}

/** Measures the host now. */
export async function systemUsage(options: SystemUsageOptions): Promise<SystemUsage> {
  const { dataDir, gpus, confidential } = options
  const { snpVcpuTypes } = confidential
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg()
  const frequencies = cpus().map(({ speed }) => speed)
  const [disk, promised] = await Promise.all([statfs(dataDir), options.promisedBytes()])
  const minute = new Date(Math.floor(Date.now() / 60_000) * 60_000)
  return {
    cpu: {
      count: availableParallelism(),
      load_average: { load1, load5, load15 },
      core_frequencies: { min: Math.min(...frequencies), max: Math.max(...frequencies) },
    },
    mem: {
      total_kB: Math.ceil(totalmem() / 1000),
      available_kB: Math.floor((await availableMemory()) / 1000),
    },
    disk: {
      total_kB: Math.floor((disk.blocks * disk.bsize) / 1000),
      available_kB: Math.max(0, Math.floor((disk.bavail * disk.bsize - promised) / 1000)),
    },
    period: { start_timestamp: minute.toISOString().replace('.000Z', 'Z'), duration_seconds: 60 },
    properties: {
      cpu: await cpuProperties(),
      ...(snpVcpuTypes && { tee: { sev_snp: { supported_vcpu_types: snpVcpuTypes } } }),
    },
    gpu: await gpus.describe(),
    active: true,
  }
}

/** `GET /about/capability` (protocol 05 §16). Nulls are what this node cannot tell without privileges. */
export async function capability() {
  const [first] = cpus()
  const properties = await cpuProperties()
  return {
    cpu: {
      ...properties,
      model: first?.model ?? null,
      frequency: first ? String(first.speed) : null,
      count: String(availableParallelism()),
    },
    memory: {
      size: String(Math.round(totalmem() / 2 ** 20)),
      units: 'MiB',
      type: null,
      clock: null,
      clock_units: null,
    },
  }
}

async function cpuProperties(): Promise<SystemUsage['properties']['cpu']> {
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  const vendor = /^vendor_id\s*:\s*(\S+)/m.exec(info)?.[1] ?? 'unknown'
  const flags = new Set(/^flags\s*:\s*(.*)$/m.exec(info)?.[1]?.split(' '))
  const features = ['sev', 'sev_es', 'sev_snp'].filter((flag) => flags.has(flag))
  return { architecture: arch() === 'x64' ? 'x86_64' : arch(), vendor, features }
}

async function availableMemory(): Promise<number> {
  const info = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  const kib = /^MemAvailable:\s*(\d+) kB/m.exec(info)?.[1]
  return kib === undefined ? freemem() : Number(kib) * 1024
}
