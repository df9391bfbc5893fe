import { z } from 'zod'
import { devnetProfile } from './devnet.ts'
import { mainnetProfile } from './mainnet.ts'
import { type NetworkProfile, networkProfileSchema } from './network-profile.ts'

/** A profile that cannot be used; `issues` says where and why, one line each. */
export class InvalidProfileError extends Error {
  override readonly name = 'InvalidProfileError'
  readonly code = 'invalid_profile'
  readonly issues: string[]

  constructor(issues: string[]) {
    super(`network profile: ${issues.join('; ')}`)
    this.issues = issues
  }
}

const profiles: Readonly<Record<string, NetworkProfile>> = { mainnet: mainnetProfile, devnet: devnetProfile }

const extensionSchema = z.looseObject({ extends: z.enum(['mainnet', 'devnet']).optional() })

/**
 * Reads a network profile from JSON: either complete, or naming the profile it `extends` and giving only the
 * top-level keys that differ.
 *
 * @throws {InvalidProfileError}
 * @example
 * ```ts
 * parseNetworkProfile({ extends: 'devnet', name: 'lab', tokens: [{ chain: 'ETH', evmChainId: 31337, contract, startBlock: 0 }] })
 * ```
 */
export function parseNetworkProfile(json: unknown): NetworkProfile {
  const { extends: base, ...own } = check(extensionSchema, json)
  return check(networkProfileSchema, base === undefined ? own : { ...profiles[base], ...own })
}

function check<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new InvalidProfileError(
    result.error.issues.map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`),
  )
}
