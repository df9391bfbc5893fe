import { z } from 'zod'

/** Products of the price table. The set is closed: clients in the field parse it as an enum (protocol 06 §9.2). */
export const products = [
  'storage',
  'web3_hosting',
  'program',
  'program_persistent',
  'instance',
  'instance_confidential',
  'instance_gpu_standard',
  'instance_gpu_premium',
] as const
export type Product = (typeof products)[number]

const decimal = z
  .union([
    z
      .string()
      .regex(/^\d+(\.\d+)?(e-?\d+)?$/i)
      .max(64),
    z.number().nonnegative(),
  ])
  .transform(String)

/** ALEPH to hold, ALEPH per hour, credits per hour; per MiB or per compute unit. */
const rateSchema = z.looseObject({
  holding: decimal.nullish(),
  payg: decimal.nullish(),
  credit: decimal.nullish(),
})

const tierSchema = z.looseObject({
  id: z.string(),
  compute_units: z.number().positive(),
  /** GPU tiers only. */
  model: z.string().nullish(),
  vram: z.number().nullish(),
})

export const productPricingSchema = z.looseObject({
  price: z.looseObject({
    storage: rateSchema.nullish(),
    compute_unit: rateSchema.nullish(),
    fixed: decimal.nullish(),
  }),
  compute_unit: z
    .looseObject({
      vcpus: z.number().positive(),
      memory_mib: z.number().positive(),
      disk_mib: z.number().nonnegative(),
    })
    .nullish(),
  tiers: z.array(tierSchema).nullish(),
})

/** Content of the `pricing` aggregate (protocol 02 §13.1). Amounts become decimal strings. */
export const pricingSchema = z.looseObject(
  Object.fromEntries(products.map((product) => [product, productPricingSchema.optional()])) as Record<
    Product,
    z.ZodOptional<typeof productPricingSchema>
  >,
)

export type ProductPricing = z.output<typeof productPricingSchema>
export type Tier = z.output<typeof tierSchema>
export type PricingAggregate = z.output<typeof pricingSchema>
