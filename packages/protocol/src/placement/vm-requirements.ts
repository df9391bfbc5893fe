import type { InstanceContent } from '../content/instance.ts'
import type { ProgramContent } from '../content/program.ts'
import type { VProgramContent } from '../content/v-program.ts'

/** What a VM asks of the node it runs on, as far as the registry alone can answer. Null: no demand. */
export interface VmRequirements {
  /** The one compute node its owner chose. */
  nodeHash: string | null
  /** Owner of the compute node. */
  nodeOwner: string | null
  /** Terms its owner accepted, by item hash. */
  termsAndConditions: string | null
  /** Who a stream of payment goes to. */
  streamReceiver: string | null
  /** A pattern for the node's URL. */
  addressPattern: string | null
}

export const noRequirements: VmRequirements = {
  nodeHash: null,
  nodeOwner: null,
  termsAndConditions: null,
  streamReceiver: null,
  addressPattern: null,
}

/** The placement requirements that an executable's content states (protocol 01 §6.10, 06 §8.3). */
export function vmRequirements(content: ProgramContent | InstanceContent | VProgramContent): VmRequirements {
  const node = content.requirements?.node
  return {
    nodeHash: node?.node_hash ?? null,
    nodeOwner: node?.owner ?? null,
    termsAndConditions: node?.terms_and_conditions ?? null,
    streamReceiver: content.payment?.type === 'superfluid' ? (content.payment.receiver ?? null) : null,
    addressPattern: node?.address_regex ?? null,
  }
}
