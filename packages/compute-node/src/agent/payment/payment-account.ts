import type { Payment } from '@aleph-ts/protocol'
import { executableContent } from '../allocations/plan-assessment.ts'
import type { Reconciler } from '../allocations/reconciler.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'

/** VMs of this node that one payer pays for in one way, together; the oldest first. */
export interface PaymentAccount {
  payment: Payment['type']
  chain: Payment['chain']
  payer: string
  vms: PaidVm[]
}

export interface PaidVm {
  hash: string
  /** `content.time` of its message, epoch seconds. */
  time: number
}

/**
 * Everything that is to run here and that this node looks at the payment of: streams always, which nobody else
 * reads; credits and held tokens of VMs that came by `notify` (the network ends messages that are not paid).
 */
export async function paymentAccounts(
  reconciler: Reconciler,
  messages: MessageSource,
): Promise<PaymentAccount[]> {
  const accounts = new Map<string, PaymentAccount>()
  for (const { hash, content } of await contents(reconciler.planned(), messages)) {
    const { address, payment } = content
    const type = payment?.type ?? 'hold'
    if (type !== 'superfluid' && reconciler.notifiedPayment(hash) === undefined) continue
    // Only streams are kept apart by their chain: balances are of an address.
    const chain = type === 'superfluid' ? (payment?.chain ?? null) : null
    const key = JSON.stringify([type, chain, address.toLowerCase()])
    const account: PaymentAccount = accounts.get(key) ?? { payment: type, chain, payer: address, vms: [] }
    account.vms.push({ hash, time: content.time })
    accounts.set(key, account)
  }
  return [...accounts.values()]
}

/** Why VMs of the account end. */
export function shortfall({ payment, payer, chain }: PaymentAccount): string {
  switch (payment) {
    case 'superfluid':
      return `Too little streams from ${payer} on ${chain} for all its VMs on this node`
    case 'credit':
      return `${payer} has no credits left for this VM`
    case 'hold':
      return `${payer} holds too few tokens for this VM`
  }
}

/** Oldest first; a message that cannot be read now is looked at the next time. */
async function contents(hashes: string[], messages: MessageSource) {
  const found = await Promise.all(
    hashes.map(async (hash) => {
      try {
        return [{ hash, content: executableContent(hash, await messages.get(hash)) }]
      } catch (error) {
        if (error instanceof AgentError) return []
        throw error
      }
    }),
  )
  return found.flat().sort((a, b) => a.content.time - b.content.time)
}
