import type { PricingAggregate, Product } from '../aggregates/pricing.ts'
import type { SettingsAggregate } from '../aggregates/settings.ts'
import type { PaymentType } from '../profile/network-profile.ts'
import { type Bill, type CostRow, type CostType, charge, costRows, discount } from './cost-row.ts'
import type {
  CostableMessage,
  CostedFile,
  CostedInstance,
  CostedProgram,
  CostedStore,
  CostedVolume,
} from './costable.ts'
import { Amount } from './decimal.ts'
import { defaultPricing } from './default-pricing.ts'
import { defaultSettings } from './default-settings.ts'
import { gpuUnits } from './gpu-units.ts'
import { computeRate, computeUnit, productPricing, type Rate, storageRate } from './rates.ts'

/** A file named by a STORE message: exactly that version, or the newest of its name. */
export interface FileRef {
  ref: string
  use_latest: boolean
}

export interface CostContext {
  /** The message's own hash; the `ref` of a STORE's row. */
  itemHash: string
  /** Size in bytes of the file a STORE names; absent or 0: nothing to pay. */
  storedFileSize?: number
  /** Size in bytes of a file an executable names; undefined when unknown, which makes it free. */
  fileSize?(file: FileRef): number | undefined
  /** Content of the network's `pricing` aggregate; the built-in table when absent. */
  pricing?: PricingAggregate
  /** Content of the network's `settings` aggregate. */
  settings?: SettingsAggregate
}

export type CostInput = CostableMessage & CostContext

const mebibyte = 1024 * 1024
const smallestCreditStoreMib = 25

/**
 * The bill of a message (protocol 02 §13). The sum of a column is {@link totalCost}.
 *
 * @throws {ProtocolError} INVALID_FORMAT for a GPU the network has no price for, INTERNAL_ERROR when the price table
 * lacks a product.
 * @example
 * ```ts
 * const rows = computeCost({ type: 'PROGRAM', content, itemHash, fileSize: ({ ref }) => sizes.get(ref) })
 * const aleph = totalCost(rows, paymentTypeOf('PROGRAM', content))
 * ```
 */
export function computeCost(input: CostInput): CostRow[] {
  const pricing = input.pricing ?? defaultPricing
  const bill: Bill = { paymentType: paymentTypeOf(input.type, input.content), rows: [] }
  if (input.type === 'STORE') billStore(bill, input, input.content, pricing)
  else if (input.type === 'PROGRAM') billProgram(bill, input, input.content, pricing)
  else if (input.type === 'INSTANCE') billInstance(bill, input, input.content, pricing)
  else if (input.type === 'V-PROGRAM') {
    billExecution(bill, 'instance_confidential', input.content.resources, 1, pricing)
    discountDisk(bill, 'instance_confidential', input.content.resources, pricing)
  }
  return costRows(bill)
}

/** How a message is paid (protocol 02 §13.3): by hold unless it says otherwise; a V-PROGRAM only in credits. */
export function paymentTypeOf(type: CostableMessage['type'], content: unknown): PaymentType {
  if (type === 'V-PROGRAM') return 'credit'
  return (content as { payment?: { type: PaymentType } | null }).payment?.type ?? 'hold'
}

/** What a message is billed as (protocol 02 §13.4); null: nothing, or by its GPUs. */
export function productOf(message: CostableMessage): Product | null {
  if (message.type === 'STORE') return 'storage'
  if (message.type === 'PROGRAM') return message.content.on.persistent ? 'program_persistent' : 'program'
  if (message.type === 'V-PROGRAM') return 'instance_confidential'
  if (message.type !== 'INSTANCE' || message.content.requirements?.gpu?.length) return null
  return message.content.environment.trusted_execution ? 'instance_confidential' : 'instance'
}

function billStore(bill: Bill, context: CostContext, content: CostedStore, pricing: PricingAggregate): void {
  const sizeMib = content.estimated_size_mib
    ? new Amount(content.estimated_size_mib)
    : new Amount(context.storedFileSize ?? 0).div(mebibyte)
  if (sizeMib.lte(0)) return
  const billed = bill.paymentType === 'credit' ? Amount.max(sizeMib, smallestCreditStoreMib) : sizeMib
  const label = { type: 'STORAGE', name: 'STORAGE', ref: context.itemHash } as const
  charge(bill, label, billed, storageRate(productPricing(pricing, 'storage')), true)
}

function billProgram(
  bill: Bill,
  context: CostContext,
  content: CostedProgram,
  pricing: PricingAggregate,
): void {
  const product = content.on.persistent ? 'program_persistent' : 'program'
  const multiplier = !content.on.persistent && content.environment.internet ? 2 : 1
  billExecution(bill, product, content.resources, multiplier, pricing)
  const rate = storageRate(productPricing(pricing, product))
  billFile(bill, context, 'EXECUTION_PROGRAM_VOLUME_CODE', content.code, rate)
  billFile(bill, context, 'EXECUTION_PROGRAM_VOLUME_RUNTIME', content.runtime, rate)
  if (content.data) billFile(bill, context, 'EXECUTION_PROGRAM_VOLUME_DATA', content.data, rate)
  billVolumes(bill, context, content.volumes ?? [], rate)
  discountDisk(bill, product, content.resources, pricing)
}

function billInstance(
  bill: Bill,
  context: CostContext,
  content: CostedInstance,
  pricing: PricingAggregate,
): void {
  const gpus = content.requirements?.gpu ?? []
  const product = content.environment.trusted_execution ? 'instance_confidential' : 'instance'
  if (gpus.length === 0) billExecution(bill, product, content.resources, 1, pricing)
  const units = gpus.length === 0 ? null : billGpus(bill, context, content, pricing)

  const priced = productPricing(pricing, units === null ? product : 'instance_gpu_premium')
  const rate = storageRate(priced)
  const rootfs = 'EXECUTION_INSTANCE_VOLUME_ROOTFS'
  const label = { type: rootfs, name: rootfs, ref: content.rootfs.parent.ref } as const
  charge(bill, label, new Amount(content.rootfs.size_mib), rate, true)
  billVolumes(bill, context, content.volumes ?? [], rate)

  if (units === null) discountDisk(bill, product, content.resources, pricing)
  else discount(bill, new Amount(computeUnit(priced).diskMib).mul(units), rate)
}

function billGpus(
  bill: Bill,
  context: CostContext,
  content: CostedInstance,
  pricing: PricingAggregate,
): number {
  const devices = (content.requirements?.gpu ?? []).map((gpu) => gpu.device_id)
  const { paid, resource } = gpuUnits(
    devices,
    content.resources,
    pricing,
    context.settings ?? defaultSettings,
  )
  for (const { product, units } of paid) {
    const rate = computeRate(productPricing(pricing, product), product)
    charge(bill, { type: 'EXECUTION', name: product, ref: null }, new Amount(units), rate, false)
  }
  return resource
}

function billExecution(
  bill: Bill,
  product: Product,
  resources: { vcpus: number; memory: number },
  multiplier: number,
  pricing: PricingAggregate,
): void {
  const priced = productPricing(pricing, product)
  const units = new Amount(unitsOf(resources, computeUnit(priced).memoryMib)).mul(multiplier)
  charge(bill, { type: 'EXECUTION', name: product, ref: null }, units, computeRate(priced, product), true)
}

function discountDisk(
  bill: Bill,
  product: Product,
  resources: { vcpus: number; memory: number },
  pricing: PricingAggregate,
): void {
  const priced = productPricing(pricing, product)
  const { memoryMib, diskMib } = computeUnit(priced)
  discount(bill, new Amount(diskMib).mul(unitsOf(resources, memoryMib)), storageRate(priced))
}

function unitsOf(resources: { vcpus: number; memory: number }, memoryMib: number): number {
  return Math.max(resources.vcpus, Math.ceil(resources.memory / memoryMib))
}

function billVolumes(bill: Bill, context: CostContext, volumes: CostedVolume[], rate: Rate): void {
  for (const [i, volume] of volumes.entries()) {
    const type = volume.ref === undefined ? 'EXECUTION_VOLUME_PERSISTENT' : 'EXECUTION_VOLUME_INMUTABLE'
    const name = `#${i}:${volume.mount || type}`
    if (volume.ref !== undefined) {
      billFile(bill, context, type, { ...volume, ref: volume.ref }, rate, name)
    } else {
      charge(bill, { type, name, ref: null }, new Amount(volume.size_mib ?? 0), rate, true)
    }
  }
}

function billFile(
  bill: Bill,
  context: CostContext,
  type: CostType,
  file: CostedFile,
  rate: Rate,
  name: string = type,
): void {
  const sizeMib = fileSizeMib(context, file)
  if (sizeMib !== null) charge(bill, { type, name, ref: file.ref }, sizeMib, rate, true)
}

function fileSizeMib(context: CostContext, file: CostedFile): Amount | null {
  if (file.estimated_size_mib) return new Amount(file.estimated_size_mib)
  const bytes = context.fileSize?.({ ref: file.ref, use_latest: file.use_latest ?? false })
  return bytes === undefined ? null : new Amount(bytes).div(mebibyte)
}
