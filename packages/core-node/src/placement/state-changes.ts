import { allocationsKey, capacityReportPostType } from '@aleph-ts/protocol'
import type { CoreNodeContext } from '../context.ts'
import type { CoreEventMap, ProcessedMessage } from '../events.ts'
import { isAboutStanding } from './node-standing.ts'
import { workloadTypes } from './workloads.ts'

export interface StateChangeListener {
  /** Every batch of processed messages. */
  onProcessed(batch: ProcessedMessage[]): void
  /** What compute nodes can carry may have changed. */
  onReport(): void
  /** Something that plans are made of may have changed. */
  onChange(): void
}

/**
 * Tells of changes of the state that matter to placement.
 *
 * @returns a function that ends it
 */
export function listenToState(events: CoreNodeContext['events'], listener: StateChangeListener): () => void {
  const onProcessed = (batch: ProcessedMessage[]): void => {
    listener.onProcessed(batch)
    const isReported = batch.some(
      ({ type, content }) =>
        type === 'POST' && (content as { type?: unknown } | null)?.type === capacityReportPostType,
    )
    if (isReported) listener.onReport()
    const matters = batch.some(
      ({ type, content }) =>
        workloadTypes.includes(type) ||
        (type === 'AGGREGATE' && isAboutPlaces((content as { key?: unknown } | null)?.key)),
    )
    if (matters || isReported) listener.onChange()
  }
  const onEnded = (batch: CoreEventMap['forgotten'][0]): void => {
    if (batch.some(({ type }) => workloadTypes.includes(type) || type === 'AGGREGATE')) listener.onChange()
  }
  const endings = ['forgotten', 'removing', 'recovered'] as const
  events.on('processed', onProcessed)
  for (const ending of endings) events.on(ending, onEnded)
  return () => {
    events.off('processed', onProcessed)
    for (const ending of endings) events.off(ending, onEnded)
  }
}

function isAboutPlaces(key: unknown): boolean {
  return key === allocationsKey || key === 'settings' || isAboutStanding(key)
}
