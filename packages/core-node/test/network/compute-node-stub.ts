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
  /** VMs it would not run, with the code why; it speaks version 2 of the plan protocol when it has any. */
  readonly refusing = new Map<string, string>()
  /** Instances that left it, and came to it, with their disks. */
  readonly exported = new Set<string>()
  readonly imported = new Set<string>()
  readonly cleanedUp: string[] = []
  /** Whether it cannot fetch the disks of instances. */
  failingImports = false
  /** Why an instance does not start, if it does not. */
  failing: () => string | undefined = () => undefined
  /** VMs that run there, whatever its plan says. */
  readonly strays = new Set<string>()
  /** Nothing of its plan runs. */
  isIdle = false
  /** VMs that do not run there, whatever its plan says. */
  readonly hidden = new Set<string>()
  ipv6Pool: string | null = null
  allocations = 1
  readonly #seen = new Set<string>()
  readonly #server: Server

  private constructor(signers: string[]) {
    this.#server = createServer(async (request, response) => {
      const body = await buffer(request)
      const path = request.url ?? ''
      if (request.method === 'GET' && !path.startsWith('/control/')) {
        response.end(JSON.stringify(this.#about(path)))
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
      const special = this.#special(request.method ?? '', path, body.toString())
      if (special) {
        response.writeHead(special.status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(special.answer))
        return
      }
      const failure = this.failures.shift()
      if (failure === undefined) this.plans.push(JSON.parse(body.toString()))
      const errors = Object.fromEntries(
        (this.plans.at(-1)?.instances ?? []).flatMap((vm) => {
          const error = this.failing()
          return error ? [[vm, error]] : []
        }),
      )
      const status = failure ?? (Object.keys(errors).length > 0 ? 207 : 200)
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ success: status === 200, errors }))
    })
  }

  /** Questions about room, and migrations. */
  #special(method: string, path: string, body: string): { status: number; answer: object } | undefined {
    if (path === '/v2/control/capacity/check') {
      const vms: { item_hash: string }[] = JSON.parse(body).vms
      const results = vms.map(({ item_hash }) => {
        const code = this.refusing.get(item_hash) ?? this.refusing.get('*')
        return [item_hash, code ? { accepted: false, code, message: '' } : { accepted: true }]
      })
      return { status: 200, answer: { results: Object.fromEntries(results) } }
    }
    if (path === '/control/migrate') {
      this.imported.add(JSON.parse(body).vm_hash)
      return { status: 202, answer: {} }
    }
    const [, imported] = /^\/control\/migrate\/(\w+)\/status$/.exec(path) ?? []
    if (imported) {
      const state = this.failingImports ? 'import_failed' : 'imported'
      return job(this.imported.has(imported), { state, error: this.failingImports ? 'no disk' : null })
    }
    const [, vm, step] = /^\/control\/machine\/(\w+)\/migration\/(.+)$/.exec(path) ?? []
    if (!vm) return undefined
    if (step === 'export/status') {
      return job(this.exported.has(vm), { state: 'exported', disk_files: [{ name: 'd' }], export_token: 't' })
    }
    if (step === 'export' && method === 'POST') this.exported.add(vm)
    if (step === 'cleanup') {
      this.cleanedUp.push(vm)
      this.exported.delete(vm)
    }
    return { status: 202, answer: {} }
  }

  #about(path: string): object {
    if (path === '/status/config') {
      const networking = { IPV6_ADDRESS_POOL: this.ipv6Pool }
      return { version: 'stub', networking, api: { allocations: this.allocations }, capacity: this.caps }
    }
    if (path === '/v2/about/executions/list') {
      const { persistent_vms = [], instances = [] } = this.plans.at(-1) ?? {}
      return Object.fromEntries(
        [...persistent_vms, ...instances, ...this.strays]
          .filter((hash) => !this.isIdle && !this.hidden.has(hash))
          .map((hash) => [hash, { running: true }]),
      )
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

function job(isKnown: boolean, answer: object): { status: number; answer: object } {
  return isKnown ? { status: 200, answer } : { status: 404, answer: {} }
}
