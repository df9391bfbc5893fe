import { portForwardingSchema } from '@aleph-ts/protocol'
import type { Logger } from 'pino'
import type { MessageSource } from '../core-nodes/message-source.ts'
import type { WantedPort } from './port-store.ts'

const MAX_PORTS = 64
const ssh: WantedPort = { guest: 22, tcp: true, udp: false }

/**
 * Ports of an instance that its owner's `port-forwarding` aggregate asks for, ssh always among them
 * (protocol 05 §8.4). Null when the aggregate cannot be read: what was forwarded stays (05 §23 N1).
 */
export async function wantedPorts(
  hash: string,
  owner: string,
  messages: MessageSource,
  logger: Logger,
  maxAgeMs?: number,
): Promise<WantedPort[] | null> {
  let aggregate: unknown
  try {
    aggregate = await messages.aggregate(owner, 'port-forwarding', maxAgeMs)
  } catch (error) {
    logger.warn({ hash, reason: (error as Error).message }, 'cannot read which ports to forward')
    return null
  }
  // What the owner wrote of other instances, right or wrong, does not matter here.
  const entry = (aggregate as Record<string, unknown> | null)?.[hash] ?? null
  const parsed = portForwardingSchema.safeParse({ [hash]: entry })
  if (!parsed.success) {
    logger.warn({ hash, owner }, 'the port-forwarding aggregate is malformed')
    return [ssh]
  }
  const entries = Object.entries(parsed.data[hash]?.ports ?? {})
  const ports = entries.flatMap(([port, { tcp, udp }]) => {
    const guest = Number(port)
    return Number.isInteger(guest) && guest > 0 && guest < 65_536 && (tcp || udp) ? [{ guest, tcp, udp }] : []
  })
  const withSsh = ports.some(({ guest, tcp }) => guest === 22 && tcp)
    ? ports
    : [ssh, ...ports.filter(({ guest }) => guest !== 22)]
  return withSsh.slice(0, MAX_PORTS)
}
