import { z } from 'zod'
import { HypervisorError, type LaunchControl, type LaunchMeasurement } from '../hypervisor.ts'
import type { QmpClient } from './qmp-client.ts'

const sevSchema = z.looseObject({
  enabled: z.boolean(),
  'api-major': z.int(),
  'api-minor': z.int(),
  'build-id': z.int(),
  policy: z.int(),
  state: z.string(),
  handle: z.int(),
})
const measureSchema = z.looseObject({ data: z.base64() })
const statusSchema = z.looseObject({ status: z.string(), running: z.boolean() })

/** The owner's part of a SEV launch, over QEMU's control socket (protocol 05 §11). */
export class SevLaunch implements LaunchControl {
  readonly #qmp: QmpClient

  constructor(qmp: QmpClient) {
    this.#qmp = qmp
  }

  async measurement(): Promise<LaunchMeasurement> {
    const sev = await this.#ask('query-sev', sevSchema)
    const { data } = await this.#ask('query-sev-launch-measure', measureSchema)
    return {
      info: {
        enabled: sev.enabled,
        apiMajor: sev['api-major'],
        apiMinor: sev['api-minor'],
        buildId: sev['build-id'],
        policy: sev.policy,
        state: sev.state,
        handle: sev.handle,
      },
      measure: data,
    }
  }

  async injectSecret(packetHeader: string, secret: string): Promise<{ status: string; running: boolean }> {
    await this.#qmp.execute('sev-inject-launch-secret', { 'packet-header': packetHeader, secret })
    await this.#qmp.execute('cont')
    return this.#ask('query-status', statusSchema)
  }

  async #ask<T extends z.ZodType>(command: string, schema: T): Promise<z.output<T>> {
    const answer = schema.safeParse(await this.#qmp.execute(command))
    if (answer.success) return answer.data
    throw new HypervisorError('hypervisor_failed', `QEMU answered ${command} with ${answer.error.message}`)
  }
}
