import { z } from 'zod'
import type { Place } from './relay.ts'

export interface TlsSettings {
  listen: Place
  /** What ends TLS for the node itself; null: nothing does. */
  fallback: Place | null
}

const hostAndPort = z
  .string()
  .regex(/^(\[[\da-f:]+\]|[\w.-]+):\d{1,5}$/i, 'is no host:port')
  .transform((text) => {
    const at = text.lastIndexOf(':')
    return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) }
  })
  .refine(({ port }) => port > 0 && port < 65_536, 'has no valid port')

/** Environment variables of how TLS is passed on. */
export const tlsEnvironmentTable = {
  ALEPH_VM_TLS_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address on which TLS connections for domains of instances are passed on'),
  ALEPH_VM_TLS_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .optional()
    .describe('Its port, 443 where clients come directly; none: TLS is not passed on'),
  ALEPH_VM_TLS_FALLBACK: hostAndPort
    .optional()
    .describe('host:port of what ends TLS for the node itself: gets connections for all other names'),
}

/** Null: TLS is not passed on. */
export function tlsSettings(env: z.output<z.ZodObject<typeof tlsEnvironmentTable>>): TlsSettings | null {
  const { ALEPH_VM_TLS_HOST: host, ALEPH_VM_TLS_PORT: port, ALEPH_VM_TLS_FALLBACK: fallback } = env
  return port === undefined ? null : { listen: { host, port }, fallback: fallback ?? null }
}
