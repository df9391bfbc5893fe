import type { TrustedExecution } from '@aleph-ts/protocol'
import {
  type AmdProduct,
  type AttestedGuest,
  fetchSnpCertificates,
  type SnpCertificates,
  type SnpReport,
} from '@aleph-ts/sdk/confidential'
import type { VmNode } from '../commands/vm-node.ts'
import { exitCodes } from '../exit-codes.ts'
import { CliError } from '../failure.ts'

/** Where guests answer for themselves, unless their message says otherwise (protocol 05 §19). */
const defaultPort = 8443

export interface AttestOptions {
  /** Where the guest answers; default: as its compute node tells. */
  url?: string
  amdProduct?: AmdProduct
  keyServer?: string
  /** Sha256 of a root key to trust in the place of AMD's. */
  amdRoot?: string
}

/** A running instance with SEV-SNP, and what it has to prove by its message. */
export async function attestedInstance(
  { node, computeNode }: VmNode,
  hash: string,
  trusted: TrustedExecution,
  { url, amdProduct, keyServer, amdRoot, signal }: AttestOptions & { signal: AbortSignal },
): Promise<AttestedGuest> {
  const registers = (trusted.measurements ?? []).flatMap((measurement) =>
    measurement.platform === 'sev_snp' ? [measurement.registers.launch] : [],
  )
  const port = trusted.attestation_port ?? defaultPort
  let certificates: Promise<SnpCertificates> | undefined
  return {
    url: url ?? (await guestUrl()),
    expectation: {
      measurements: registers,
      policy: trusted.policy,
      ...(amdRoot === undefined ? {} : { roots: [amdRoot] }),
    },
    // All reports of one guest are of one chip, and AMD's server answers seldom.
    certificates: (report: SnpReport) => {
      certificates ??= fetchSnpCertificates(report, {
        ...(amdProduct && { product: amdProduct }),
        ...(keyServer && { keyServer }),
        signal,
      })
      return certificates
    },
    signal,
  }

  async function guestUrl(): Promise<string> {
    const networking = (await node.listExecutions({ signal }))[hash]?.networking
    const mapped = networking?.mapped_ports?.[String(port)]?.host
    if (mapped !== undefined) return `https://${new URL(computeNode.url).hostname}:${mapped}`
    const address = networking?.ipv6_ip
    if (typeof address === 'string') return `https://[${address}]:${port}`
    throw new CliError('guest_unknown', `${computeNode.url} does not tell where ${hash} answers`, {
      exitCode: exitCodes.notFound,
      hint: `Forward its port ${port}, or name it: --url https://HOST:PORT`,
    })
  }
}
