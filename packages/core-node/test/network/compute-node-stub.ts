import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type AllocationAuthError, verifyAllocationRequest } from '@aleph-ts/protocol'
import type { NodePlan } from '../../src/placement/plan-pusher.ts'

/** A compute node that checks what it is told as the real one does. */
export class ComputeNodeStub {
  readonly plans: NodePlan[] = []
  readonly problems: string[] = []
  /** What it says its VMs may use together. */
  caps = { vcpus: 64, instance_memory_mib: 65_536, program_memory_mib: 65_536, disk_mib: 1_000_000 }
  /** Answers to give before 200, in order. */
  readonly failures: number[] = []
  readonly #seen = new Set<string>()
  readonly #server: Server

  private constructor(signers: string[]) {
    this.#server = createServer(async (request, response) => {
      const body = await buffer(request)
      if (request.method === 'GET') {
        response.end(JSON.stringify(this.#about(request.url ?? '')))
        return
      }
      try {
        const { payloadHash } = verifyAllocationRequest({
          authorization: request.headers.authorization ?? '',
          method: request.method ?? '',
          path: request.url ?? '',
          query: '',
          body,
          now: Date.now() / 1000,
          isSigner: (address) => signers.includes(address),
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

  #about(path: string): object {
    if (path === '/status/config') return { version: 'stub', api: { allocations: 1 }, capacity: this.caps }
    if (path === '/v2/about/executions/list') {
      const { persistent_vms = [], instances = [] } = this.plans.at(-1) ?? {}
      return Object.fromEntries([...persistent_vms, ...instances].map((hash) => [hash, { running: true }]))
    }
    const cpu = { architecture: 'x86_64', vendor: 'AuthenticAMD', features: [] }
    return { cpu: { count: 16 }, mem: { total_kB: 1 }, disk: { total_kB: 1 }, properties: { cpu } }
  }

  /** @param signers addresses whose plans it takes */
  static async start(signers: string[]): Promise<ComputeNodeStub> {
    const stub = new ComputeNodeStub(signers)
    await new Promise<void>((resolve) => stub.#server.listen(0, '127.0.0.1', resolve))
    return stub
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
}
