import { z } from 'zod'
import { chainCodes } from '../message/chains.ts'
import { paymentTypes } from '../profile/network-profile.ts'
import { indexedText, optional } from './scalars.ts'

/** How a message is paid (protocol 01 §6.12); absent means hold. */
export const paymentSchema = z.object({
  type: z.enum(paymentTypes),
  chain: optional(z.enum(chainCodes)),
  receiver: optional(indexedText),
})
export type Payment = z.output<typeof paymentSchema>

export const storePaymentSchema = paymentSchema.extend({ type: z.enum(['hold', 'credit']) })
export const creditPaymentSchema = paymentSchema.extend({ type: z.literal('credit') })
