import type { PaymentType } from '@aleph-ts/protocol'
import { type BuiltMessage, buildMessage, type MessageOptions } from './build-message.ts'
import { paymentOf } from './payment.ts'

export interface StoreFields {
  /** sha256 of the file in lower-case hex, or its CID with `itemType: 'ipfs'`. */
  fileHash: string
  itemType?: 'storage' | 'ipfs'
  /** A name to find the latest version by, or the item hash of the STORE this one is a new version of. */
  ref?: string
  mimeType?: string
  metadata?: Record<string, unknown>
  paymentType?: Exclude<PaymentType, 'superfluid'>
}

/** A STORE: asks the network to keep a file (protocol 01 §6.3). The file itself is uploaded beside it. */
export function buildStore(fields: StoreFields, options: MessageOptions): BuiltMessage<'STORE'> {
  return buildMessage(
    'STORE',
    {
      item_type: fields.itemType ?? 'storage',
      item_hash: fields.fileHash,
      ...(fields.ref === undefined ? {} : { ref: fields.ref }),
      ...(fields.mimeType === undefined ? {} : { mime_type: fields.mimeType }),
      ...(fields.metadata === undefined ? {} : { metadata: fields.metadata }),
      payment: paymentOf(fields.paymentType ?? 'hold', options.account.chain),
    },
    options,
  )
}
