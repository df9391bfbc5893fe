import { z } from 'zod'
import type { Place } from './relay.ts'

export interface SshSettings {
  listen: Place
  /** Files of certificate chain and key, PEM. */
  certificatePath: string
  keyPath: string
}

const path = z.string().startsWith('/', 'is no absolute path').optional()

/** Environment variables of ssh by name. */
export const sshEnvironmentTable = {
  ALEPH_VM_SSH_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address on which ssh into instances is taken by name, inside TLS'),
  ALEPH_VM_SSH_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .optional()
    .describe('Its port, 2222 on other nodes of the network; none: ssh is not taken by name'),
  ALEPH_VM_SSH_CERTIFICATE: path.describe('File of the TLS certificate for ssh by name, PEM'),
  ALEPH_VM_SSH_KEY: path.describe('File of its private key, PEM'),
}

type SshEnvironment = z.output<z.ZodObject<typeof sshEnvironmentTable>>

/** Whether there is a certificate where one is needed. */
export function hasSshCertificate(env: SshEnvironment): boolean {
  const isWanted = env.ALEPH_VM_SSH_PORT !== undefined
  return !isWanted || Boolean(env.ALEPH_VM_SSH_CERTIFICATE && env.ALEPH_VM_SSH_KEY)
}

/** Null: ssh is not taken by name. */
export function sshSettings(env: SshEnvironment): SshSettings | null {
  const {
    ALEPH_VM_SSH_HOST: host,
    ALEPH_VM_SSH_PORT: port,
    ALEPH_VM_SSH_CERTIFICATE: certificatePath,
    ALEPH_VM_SSH_KEY: keyPath,
  } = env
  if (port === undefined || !certificatePath || !keyPath) return null
  return { listen: { host, port }, certificatePath, keyPath }
}
