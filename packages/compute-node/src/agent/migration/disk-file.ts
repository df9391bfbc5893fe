import { z } from 'zod'

/** A disk of an exported instance, as source and target tell each other (protocol 05 §12). */
export const diskFileSchema = z.object({
  name: z.string().regex(/^[\w.%-]{1,200}\.qcow2$/, 'is no name of a disk file'),
  size_bytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'is no sha256'),
  download_path: z.string().max(1000),
})

export type DiskFile = z.output<typeof diskFileSchema>
