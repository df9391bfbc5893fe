import { describe, expect, it } from 'vitest'
import {
  balanceShortfall,
  type ContentOf,
  type CostableMessage,
  computeCost,
  defaultPricing,
  defaultSettings,
  type FileRef,
  type MessageType,
  type PricingAggregate,
  ProtocolError,
  parseContent,
  paymentTypeOf,
  pricingSchema,
  settingsSchema,
  totalCost,
} from '../src/index.ts'
import { readFixture } from './fixtures.ts'

interface CostVector {
  id: string
  message_type: 'STORE' | 'PROGRAM' | 'INSTANCE' | 'V-PROGRAM'
  estimate: boolean
  item_hash: string
  content: Record<string, unknown>
  files: Record<string, number>
  pins: Record<string, string>
  tags: Record<string, string>
  pricing_patch?: { path: string[]; value: unknown }[]
  expected: { payment_type: string; cost: string; details: Record<string, unknown>[]; rejected?: boolean }
}

interface BalanceVector {
  payment_type: 'hold' | 'credit'
  existing_cost: string
  message_cost: string
  balance: string
  expected: { accepted: boolean; error_code?: number; details?: unknown }
}

const fixture = readFixture<{
  pricing: unknown
  settings: unknown
  vectors: CostVector[]
  balance_checks: BalanceVector[]
}>('cost-vectors')

function pricingOf({ pricing_patch = [] }: CostVector): PricingAggregate {
  const pricing = structuredClone(fixture.pricing)
  for (const { path, value } of pricing_patch) {
    const parent = path
      .slice(0, -1)
      .reduce((at, key) => at[key] as Record<string, unknown>, pricing as Record<string, unknown>)
    parent[path.at(-1)!] = value
  }
  return pricingSchema.parse(pricing)
}

/** Estimates carry sizes that no message may carry, so only real messages go through the format check. */
function contentOf<T extends MessageType>(type: T, vector: CostVector): ContentOf<T> {
  return vector.estimate ? (vector.content as ContentOf<T>) : parseContent(type, vector.content)
}

function billOf(vector: CostVector) {
  const { files, pins, tags, item_hash: itemHash } = vector
  const content = contentOf(vector.message_type, vector)
  const message = { type: vector.message_type, content } as CostableMessage
  const storedFile = vector.content.item_hash
  return computeCost({
    ...message,
    itemHash,
    storedFileSize: typeof storedFile === 'string' ? files[storedFile] : undefined,
    fileSize: ({ ref, use_latest }: FileRef) => files[(use_latest ? tags : pins)[ref] ?? ''],
    pricing: pricingOf(vector),
    settings: settingsSchema.parse(fixture.settings),
  })
}

const byTypeAndName = (rows: object[]) =>
  rows.map((row) => JSON.stringify(row, Object.keys(row).sort())).sort()

describe('what a message costs', () => {
  const priced = fixture.vectors.filter((vector) => !vector.expected.rejected)

  it.each(priced)('$id, digit for digit', (vector) => {
    const rows = billOf(vector)
    expect(byTypeAndName(rows)).toEqual(byTypeAndName(vector.expected.details))
    const paymentType = paymentTypeOf(vector.message_type, vector.content)
    expect(totalCost(rows, paymentType)).toBe(vector.expected.cost)
  })

  it('a GPU the network does not know is refused, not priced at nothing', () => {
    const vector = fixture.vectors.find(({ id }) => id === 'gpu-unknown-device')!
    expect(() => billOf(vector)).toThrow(ProtocolError)
    expect(() => billOf(vector)).toThrow(/ffff:ffff/)
  })

  it('the built-in price table and GPU list are the published ones', () => {
    expect(defaultPricing).toEqual(pricingSchema.parse(fixture.pricing))
    expect(defaultSettings).toEqual(settingsSchema.parse(fixture.settings))
  })
})

describe('whether an account can pay', () => {
  it.each(fixture.balance_checks)('$payment_type $existing_cost + $message_cost with $balance', (vector) => {
    const error = balanceShortfall({
      paymentType: vector.payment_type,
      existingCost: vector.existing_cost,
      messageCost: vector.message_cost,
      balance: vector.balance,
    })
    expect(error === null).toBe(vector.expected.accepted)
    if (error === null) return
    expect(error.errorCode).toBe(vector.expected.error_code)
    expect(error.details).toEqual(vector.expected.details)
  })
})
