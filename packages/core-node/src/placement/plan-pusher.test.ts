import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type AllocationAuthError, evmAddress, verifyAllocationRequest } from '@aleph-ts/protocol'
import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { type NodePlan, PlanPusher } from './plan-pusher.ts'

const privateKey = Uint8Array.from(randomBytes(32))
const operatorKey = { address: evmAddress(privateKey), privateKey }
const patience = { timeout: 10_000, interval: 10 }
const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

/** A compute node that checks what it is told as the real one does. */
class ComputeNodeStub {
  readonly plans: NodePlan[] = []
  readonly problems: string[] = []
  /** Answers to give before 200, in order. */
  readonly failures: number[] = []
  readonly #seen = new Set<string>()
  readonly #server: Server

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const body = await buffer(request)
      try {
        const { payloadHash } = verifyAllocationRequest({
          authorization: request.headers.authorization ?? '',
          method: request.method ?? '',
          path: request.url ?? '',
          query: '',
          body,
          now: Date.now() / 1000,
          isSigner: (address) => address === operatorKey.address,
        })
        if (this.#seen.has(payloadHash)) this.problems.push('replayed')
        this.#seen.add(payloadHash)
      } catch (error) {
        this.problems.push((error as AllocationAuthError).code)
      }
      const failure = this.failures.shift()
      if (failure === undefined) this.plans.push(JSON.parse(body.toString()))
      response.writeHead(failure ?? 200, { 'content-type': 'application/json' }).end('{"success":true}')
    })
  }

  static async start(): Promise<ComputeNodeStub> {
    const stub = new ComputeNodeStub()
    await new Promise<void>((resolve) => stub.#server.listen(0, '127.0.0.1', resolve))
    stops.push(() => {
      stub.#server.closeAllConnections()
      stub.#server.close()
    })
    return stub
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
}

function createPusher(options: { refreshMs?: number; firstRetryMs?: number } = {}): PlanPusher {
  const pusher = new PlanPusher({ operatorKey, logger: pino({ level: 'silent' }), ...options })
  stops.push(() => pusher.stop())
  return pusher
}

function nodePlan(...persistent_vms: string[]): NodePlan {
  return { persistent_vms, instances: [], on_demand_vms: [], v_programs: [] }
}

test('a compute node gets its whole plan, signed by the operator, and again when it changes', async () => {
  const [node, pusher] = [await ComputeNodeStub.start(), createPusher()]
  pusher.setPlans(new Map([[node.url, nodePlan('a')]]))
  await vi.waitFor(() => expect(node.plans).toEqual([nodePlan('a')]), patience)
  pusher.setPlans(new Map([[node.url, nodePlan('a')]]))
  pusher.setPlans(new Map([[node.url, nodePlan('a', 'b')]]))
  await vi.waitFor(() => expect(node.plans).toEqual([nodePlan('a'), nodePlan('a', 'b')]), patience)
  expect(node.problems).toEqual([])
})

test('the same plan is sent again as a refresh, and never as a request the node has seen', async () => {
  const [node, pusher] = [await ComputeNodeStub.start(), createPusher({ refreshMs: 20 })]
  pusher.setPlans(new Map([[node.url, nodePlan('a')]]))
  await vi.waitFor(() => expect(node.plans.length).toBeGreaterThan(3), patience)
  expect(node.problems).toEqual([])
})

test('a compute node that fails gets its plan again later, others meanwhile get theirs', async () => {
  const [failing, healthy] = [await ComputeNodeStub.start(), await ComputeNodeStub.start()]
  const pusher = createPusher({ firstRetryMs: 20 })
  failing.failures.push(503, 500)
  const away = 'http://127.0.0.1:1'
  pusher.setPlans(new Map([away, failing.url, healthy.url].map((url) => [url, nodePlan('a')])))
  await vi.waitFor(() => expect(healthy.plans).toEqual([nodePlan('a')]), patience)
  await vi.waitFor(() => expect(failing.plans).toEqual([nodePlan('a')]), patience)
})
