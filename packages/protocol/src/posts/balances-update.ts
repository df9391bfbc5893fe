import { z } from 'zod'
import { chainCodes } from '../message/chains.ts'
import { schemaError } from '../message/format-issues.ts'
import { Amount } from '../pricing/decimal.ts'

export const balancesPostType = 'balances-update'

/** ALEPH as plain decimal text; negative amounts and nonsense are no balance. */
const aleph = z
  .union([z.number(), z.string().max(64)], 'must be an amount of ALEPH')
  .refine((value) => /^\d+(\.\d+)?(e[+-]?\d{1,2})?$/i.test(String(value)), 'must be an amount of ALEPH')
  .transform((value) => new Amount(value).toFixed())

const balancesUpdateSchema = z.object({
  chain: z.enum(chainCodes),
  /** Ethereum height of the balances: a row is replaced by a strictly higher one only. */
  main_height: z.int().nonnegative(),
  /** Contract that holds the tokens for their owners; such balances never pay. */
  dapp: z.string().min(1).max(64).nullish(),
  balances: z.record(z.string().min(1).max(128), aleph),
})

/** Content of a `balances-update` post (protocol 02 §14.1, 06 §3): addresses that are absent keep their balance. */
export type BalancesUpdate = z.output<typeof balancesUpdateSchema>

/** @throws {ProtocolError} INVALID_FORMAT, with the place of every broken rule */
export function readBalancesUpdate(content: unknown): BalancesUpdate {
  const result = balancesUpdateSchema.safeParse(content)
  if (result.success) return result.data
  throw schemaError(result.error, content)
}
