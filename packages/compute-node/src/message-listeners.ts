import type { Logger } from 'pino'
import type { Reconciler } from './agent/allocations/reconciler.ts'
import { AmendWatch } from './agent/core-nodes/amend-watch.ts'
import type { CoreNodes } from './agent/core-nodes/core-nodes.ts'
import type { MessageSource } from './agent/core-nodes/message-source.ts'
import type { InstanceHost } from './agent/instances/instance-host.ts'
import { OwnerAggregates } from './agent/instances/owner-aggregates.ts'
import type { AgentMetrics } from './agent/metrics.ts'
import type { ProgramHost } from './agent/programs/program-host.ts'
import type { ProgramLoader } from './agent/programs/program-loader.ts'
import type { CustomDomains } from './agent/proxy/custom-domains.ts'
import { MessageTriggers } from './agent/triggers/message-triggers.ts'
import { Subscriptions } from './agent/triggers/subscriptions.ts'
import type { VmHost } from './agent/vm-host.ts'

export interface MessageListenersParts {
  coreNodes: CoreNodes
  messages: MessageSource
  programs: ProgramHost
  loader: ProgramLoader
  instances: InstanceHost
  customDomains: CustomDomains
  reconciler: Reconciler
  vms: VmHost
  metrics: AgentMetrics
  logger: Logger
}

export interface MessageListener {
  start(): void
  stop(): void
}

/** Everything that follows what core nodes process: new versions, triggers, and what owners want of their network. */
export function messageListeners(parts: MessageListenersParts): MessageListener[] {
  const {
    coreNodes,
    messages,
    programs,
    loader,
    instances,
    customDomains,
    reconciler,
    vms,
    metrics,
    logger,
  } = parts
  const amends = new AmendWatch({
    coreNodes,
    wanted: () => programs.followedRefs(),
    onAmend(ref) {
      messages.forgetLatest(ref)
      programs.onAmend(ref)
    },
    logger,
  })
  const subscriptions = new Subscriptions({
    planned: () => [...reconciler.planned(), ...reconciler.onDemand()],
    content: (hash) => loader.content(hash),
  })
  const triggers = new MessageTriggers({ coreNodes, messages, programs, subscriptions, metrics, logger })
  const ownerAggregates = new OwnerAggregates({
    coreNodes,
    messages,
    vms,
    refreshPorts: (hash) => instances.refreshPorts(hash, 0),
    forgetDomains: () => customDomains.forgetAll(),
    logger,
  })
  return [amends, triggers, ownerAggregates]
}
