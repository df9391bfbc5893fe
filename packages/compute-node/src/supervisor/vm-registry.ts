import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { z } from 'zod'
import { writeFileAtomic } from '../hypervisor/atomic-file.ts'
import { snpVcpuTypes } from '../hypervisor/index.ts'

const diskSchema = z.object({ path: z.string(), sha256: z.string() })

const volumeSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('image'),
    mount: z.string(),
    image: diskSchema,
    fileSystem: z.enum(['squashfs', 'ext4']),
    copyOnWrite: z.boolean(),
  }),
  z.object({ kind: z.literal('disk'), mount: z.string(), path: z.string() }),
  z.object({ kind: z.literal('memory'), mount: z.string(), sizeMiB: z.number() }),
])

const programSchema = z.object({
  type: z.literal('program').optional(),
  id: z.string(),
  replicaOf: z.string().optional(),
  kind: z.enum(['on-demand', 'persistent']),
  vcpus: z.number(),
  memoryMiB: z.number(),
  runtime: diskSchema.extend({
    command: z.array(z.string()),
    env: z.record(z.string(), z.string()).optional(),
  }),
  code: diskSchema,
  entrypoint: z.string(),
  args: z.array(z.string()).optional(),
  volumes: z.array(volumeSchema).optional(),
  env: z.record(z.string(), z.string()),
  hostname: z.string(),
  internet: z.boolean(),
  templateKey: z.string(),
})

const formatSchema = z.enum(['raw', 'qcow2'])

const subnetSchema = z.object({ network: z.string(), gateway: z.string(), address: z.string() })

const linkSchema = z.object({ tap: z.string(), mac: z.string(), ipv4: subnetSchema, ipv6: subnetSchema })

const instanceSchema = z.object({
  type: z.literal('instance'),
  mode: z.literal('rescue').optional(),
  id: z.string(),
  kind: z.literal('persistent'),
  vcpus: z.number(),
  memoryMiB: z.number(),
  disks: z.array(
    z.object({
      serial: z.string(),
      path: z.string(),
      format: formatSchema,
      writable: z.boolean(),
      backing: z.object({ path: z.string(), format: formatSchema }).optional(),
    }),
  ),
  internet: z.boolean(),
  link: linkSchema.optional(),
  forwardHost: z.string(),
  forwards: z.array(z.object({ host: z.number(), guest: z.number(), tcp: z.boolean(), udp: z.boolean() })),
  gpus: z
    .array(z.object({ pciAddress: z.string(), deviceClass: z.enum(['0300', '0302']), vfioGroup: z.string() }))
    .optional(),
  confidential: z
    .object({
      technology: z.enum(['sev', 'sev-snp']),
      policy: z.number(),
      cbitpos: z.number(),
      reducedPhysBits: z.number(),
      firmware: z.string(),
      session: z.object({ session: z.string(), dhCertificate: z.string() }).optional(),
      vcpuType: z.enum(snpVcpuTypes).optional(),
      hostData: z.string().optional(),
    })
    .optional(),
})

const specSchema = z.union([instanceSchema, programSchema])

const machineSchema = z.object({
  hypervisor: z.enum(['qemu', 'firecracker', 'fake']),
  launchId: z.string().regex(/^[0-9a-f]{16}$/),
  pid: z.number().int().positive().optional(),
  pidStartTicks: z.string().optional(),
  tap: z.string().optional(),
})

const recordSchema = z.object({
  spec: specSchema,
  state: z.enum(['running', 'stopped', 'failed']),
  definedAt: z.number(),
  startedAt: z.number().optional(),
  stoppedAt: z.number().optional(),
  startKind: z.enum(['cold', 'runtime', 'restored', 'resumed']).optional(),
  startMs: z.number().optional(),
  starts: z.number(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  /** The machine of a running VM. */
  machine: machineSchema.optional(),
  /** The template whose memory the machine shares. */
  template: z.string().optional(),
})

/** What is kept of a VM on disk, so that a restart of the node finds it again. */
export type VmRecord = z.infer<typeof recordSchema>

/** One JSON file per VM (mode 0600: it holds the program's environment). */
export class VmRegistry {
  readonly #directory: string
  readonly #log: Logger

  private constructor(directory: string, log: Logger) {
    this.#directory = directory
    this.#log = log
  }

  static async create(directory: string, log: Logger): Promise<VmRegistry> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return new VmRegistry(directory, log)
  }

  async save(record: VmRecord): Promise<void> {
    await writeFileAtomic(this.#path(record.spec.id), JSON.stringify(record))
  }

  async remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true })
  }

  /** Every readable record; one that is not is reported and dropped (its machine is swept). */
  async load(): Promise<VmRecord[]> {
    const records: VmRecord[] = []
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name)
      if (!name.endsWith('.json')) {
        await rm(path, { force: true })
        continue
      }
      try {
        records.push(recordSchema.parse(JSON.parse(await readFile(path, 'utf8'))))
      } catch (error) {
        this.#log.warn({ file: name, err: error }, 'a VM record cannot be read and is dropped')
        await rm(path, { force: true })
      }
    }
    return records
  }

  #path(id: string): string {
    return join(this.#directory, `${id}.json`)
  }
}
