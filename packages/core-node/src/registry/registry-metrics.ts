import { Gauge, type Registry as MetricsRegistry } from 'prom-client'
import type { Registry } from './registry.ts'

/** What operators watch about the registry; `aleph_core_registry_alarm` should page somebody. */
export function observeRegistry(metrics: MetricsRegistry, registry: Registry): void {
  const observe = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [metrics],
      collect() {
        this.set(read())
      },
    })
  observe(
    'aleph_core_registry_core_nodes',
    'Registered core nodes',
    () => registry.corechannel?.nodes.length ?? 0,
  )
  observe(
    'aleph_core_registry_compute_nodes',
    'Registered compute nodes',
    () => registry.corechannel?.resource_nodes.length ?? 0,
  )
  observe(
    'aleph_core_registry_ignored_posts',
    'Posts to the registry without effect',
    () => registry.view?.ignored.length ?? 0,
  )
  observe(
    'aleph_core_registry_divergent_nodes',
    'Nodes on which the published registry differs from the computed one',
    () => registry.differences.length,
  )
  observe('aleph_core_registry_alarm', '1: the published registry has differed for long', () =>
    registry.isDivergent ? 1 : 0,
  )
}
