import {
  addressKey,
  applyRegistryEvent,
  type BalanceEvent,
  createRegistryState,
  devnetProfile,
  type IgnoredReason,
  publishedRegistry,
  type RegistryAction,
  type RegistryEvent,
  readRegistryPost,
} from '@aleph-ts/protocol'
import type { KeptMessage } from './fake-network.ts'

const unit = 10n ** 18n

interface Ignored {
  item_hash: string
  address: string
  action: string | null
  ref: string | null
  reason: IgnoredReason
  detail: string
}

/** The registry that messages make, by the rules of the nodes; every sender holds the same. */
export function fakeRegistry(messages: readonly KeptMessage[], aleph: number) {
  const state = createRegistryState()
  const ignored: Ignored[] = []
  const hold = (address: string): BalanceEvent => ({
    kind: 'balances',
    platform: 'ETH',
    mode: 'change',
    height: 0,
    time: 0,
    itemHash: '',
    balances: new Map([[addressKey('ETH', address), BigInt(aleph) * unit]]),
  })
  const apply = (event: RegistryEvent) => applyRegistryEvent(state, event, devnetProfile.registry)
  for (const { item_hash, sender, content, type } of messages) {
    if (type !== 'POST') continue
    apply(hold(sender))
    const { address, ref = null } = content as { address: string; ref?: string | null }
    const post = { itemHash: item_hash, sender, address, type: String(content.type), ref, time: 1, height: 1 }
    const event = readRegistryPost({ ...post, content: content.content }, devnetProfile)
    const reason = 'kind' in event ? apply(event) : event
    const action = (content.content as { action?: string } | null)?.action ?? null
    if (reason) ignored.push({ item_hash, address, action, ref, ...reason })
  }
  const check = (body: { address: string; action: RegistryAction; ref?: string; details?: object }) => {
    apply(hold(body.address))
    const details = (body.details ?? {}) as Record<string, unknown>
    const event = { kind: 'operation', itemHash: 'new', time: 2, height: 2 } as const
    const reason = apply({
      ...event,
      address: body.address,
      action: body.action,
      ref: body.ref ?? null,
      details,
    })
    return { allowed: reason === null, reason: reason?.reason ?? null, detail: reason?.detail ?? null }
  }
  return { published: publishedRegistry(state), ignored, check }
}
