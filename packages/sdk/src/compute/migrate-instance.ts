import { instanceMovesKey } from '@aleph-ts/protocol'
import { z } from 'zod'
import { type ClientContext, requireAccount } from '../client/client-context.ts'
import { AlephError } from '../errors.ts'
import { parseAnswer } from '../http/parse-answer.ts'
import { pollUntil } from '../http/poll-until.ts'
import { requestJson } from '../http/request.ts'
import { buildAggregate } from '../message/build-aggregate.ts'
import { sendMessage } from '../message/send-message.ts'
import { explainPlacement } from '../program/explain-placement.ts'

/** `asked`: it still runs where it was. `moving`: it is shut down, and its disks travel. */
export type MigrationStep = 'asked' | 'moving' | 'arrived'

export interface MigrateInstanceParams {
  vmHash: string
  /** Hash of the compute node it is to move to. */
  to: string
  channel?: string
  /** Whose the instance is, when the account acts for somebody else. */
  owner?: string
  /** Milliseconds until it must have arrived; half an hour by default. */
  timeoutMs?: number
  /** Called when a step begins. */
  onStep?: (step: MigrationStep) => void
  signal?: AbortSignal
}

export interface MigratedInstance {
  vmHash: string
  /** Hashes of compute nodes. */
  from: string
  to: string
}

/** A refusal counts when it was heard so often in a row. */
const patience = 10

const placeSchema = z.looseObject({ allocated_node: z.string().nullable(), status: z.string() })

/**
 * Moves an instance with its disks to another compute node, which takes it off the network for as long as that lasts.
 * Its owner asks by the aggregate `instance-moves`; the core node that placed it does the work (protocol 05 §12).
 *
 * @throws AlephError `not_allocated` when it has no place yet, `invalid_argument` when the node is unknown, `conflict`
 *   when the node does not take it, `timeout`. It stays where it is then.
 * @example
 * await migrateInstance(context, { vmHash, to: nodeHash, onStep: console.log })
 */
export async function migrateInstance(
  context: ClientContext,
  params: MigrateInstanceParams,
): Promise<MigratedInstance> {
  const { vmHash, to, onStep, timeoutMs = 1_800_000, signal } = params
  const { from, isHandedOver, refusal } = await lookUp(context, params, signal)
  // A core node does not see what runs on another one's nodes, and claims what it was handed once it is there.
  const arrived = isHandedOver ? ['dispatched', 'scheduled'] : ['dispatched']
  if (from === to) return { vmHash, from, to }
  if (refusal) throw refusal
  await publishWish(context, params, to)
  onStep?.('asked')
  let isMoving = false
  let refusals = 0
  const look = async (stop: AbortSignal): Promise<true | undefined> => {
    const place = await placeOf(context, vmHash, stop)
    if (place.allocated_node === to && arrived.includes(place.status)) return true
    if (!isMoving && (place.allocated_node === to || place.status === 'migrating')) {
      isMoving = true
      onStep?.('moving')
    }
    if (isMoving) return undefined
    // The room that is kept for it there looks like a refusal until it moves.
    const { refusal } = await lookUp(context, params, stop)
    refusals = refusal ? refusals + 1 : 0
    if (refusal && refusals > patience) throw refusal
    return undefined
  }
  try {
    if (await pollUntil(look, { timeoutMs, signal })) onStep?.('arrived')
    else throw new AlephError('timeout', `${vmHash} did not arrive at ${to} within ${timeoutMs} ms`)
  } catch (error) {
    // Nothing is to move later that was given up here; what is on its way arrives all the same.
    if (!signal?.aborted) await publishWish(context, params, null)
    throw error
  }
  return { vmHash, from, to }
}

/** Where the instance is, and why the other node would not take it. */
async function lookUp(
  context: ClientContext,
  { vmHash, to }: MigrateInstanceParams,
  signal: AbortSignal | undefined,
): Promise<{ from: string; isHandedOver: boolean; refusal?: AlephError }> {
  const { allocatedNode: from, nodes } = await explainPlacement(context, vmHash, signal ? { signal } : {})
  if (from === null) {
    throw new AlephError('not_allocated', `${vmHash} is on no compute node yet: nothing to move`)
  }
  const target = nodes.find(({ nodeHash }) => nodeHash === to)
  if (!target) {
    const refusal = new AlephError('invalid_argument', `${to} is no linked compute node`)
    return { from, isHandedOver: false, refusal }
  }
  const source = nodes.find(({ nodeHash }) => nodeHash === from)
  const isHandedOver = target.coreNode !== source?.coreNode
  if (target.reason === null) return { from, isHandedOver }
  const refusal = new AlephError('conflict', `The node ${to} does not take it: ${target.reason}`)
  return { from, isHandedOver, refusal }
}

async function placeOf(context: ClientContext, vmHash: string, signal: AbortSignal) {
  const path = `/scheduler/api/v1/vms/${encodeURIComponent(vmHash)}`
  return parseAnswer(placeSchema, await requestJson(context.scheduler, path, { signal }))
}

async function publishWish(
  context: ClientContext,
  { vmHash, channel, owner }: MigrateInstanceParams,
  to: string | null,
): Promise<void> {
  const wish = { key: instanceMovesKey, content: { [vmHash]: to } }
  const options = {
    account: requireAccount(context),
    channel: channel ?? context.channel,
    ...(owner === undefined ? {} : { owner }),
  }
  await sendMessage(context, buildAggregate(wish, options))
}
