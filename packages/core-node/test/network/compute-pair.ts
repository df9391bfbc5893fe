import { randomBytes } from 'node:crypto'
import { devnetProfile, type NetworkProfile, sha256Hex } from '@aleph-ts/protocol'
import { expect } from 'vitest'
import type { CoreNodeConfig } from '../../src/config.ts'
import { TestNode } from '../testing/test-node.ts'
import { newWallet, sign } from '../testing/wallet.ts'
import { ComputeNodeStub } from './compute-node-stub.ts'

/** Hash of the core node. */
export const coreHash = sha256Hex('core')

/** A core node with two compute nodes, a user with money, and a file that VMs can be made of. */
export class ComputePair {
  readonly node: TestNode
  readonly stubs: ComputeNodeStub[]
  /** Hashes of the compute nodes. */
  readonly hashes = ['left', 'right'].map((name) => sha256Hex(name))
  readonly registrar: ReturnType<typeof newWallet>
  readonly user = newWallet()
  #file = ''

  private constructor(node: TestNode, stubs: ComputeNodeStub[], registrar: ReturnType<typeof newWallet>) {
    this.node = node
    this.stubs = stubs
    this.registrar = registrar
  }

  /** @param options.prepare of each compute node, before the core node hears of it */
  static async start(options: {
    placement: Partial<NonNullable<CoreNodeConfig['placement']>>
    prepare: (stub: ComputeNodeStub) => void
  }): Promise<ComputePair> {
    const registrar = newWallet()
    const profile: NetworkProfile = {
      ...devnetProfile,
      addresses: {
        ...devnetProfile.addresses,
        corechannel: registrar.address,
        settings: registrar.address,
      },
    }
    const placement = {
      pollSeconds: 0.05,
      moveProgramsAfterSeconds: 600,
      moveInstancesAfterSeconds: 600,
      ...options.placement,
    }
    const node = await TestNode.start({ profile, config: { placement } })
    const stubs = [
      await ComputeNodeStub.start([node.node.address]),
      await ComputeNodeStub.start([node.node.address]),
    ]
    stubs.forEach(options.prepare)
    const pair = new ComputePair(node, stubs, registrar)
    await node.fund(pair.user.address, '1000000')
    const bytes = randomBytes(1000)
    const message = sign(pair.user, 'STORE', { item_type: 'storage', item_hash: sha256Hex(bytes) })
    await node.upload(bytes, message)
    pair.#file = message.item_hash
    await pair.register([{}, {}])
    return pair
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]()
    for (const stub of this.stubs.splice(0)) stub.stop()
  }

  /** Publishes the registry, with these fields of the compute nodes and of the core node. */
  async register(fields: readonly object[], core: object = {}, others: object[] = []): Promise<void> {
    const { node, hashes, registrar, stubs } = this
    const content = {
      nodes: [
        {
          hash: coreHash,
          owner: node.node.address,
          status: 'active',
          score: 1,
          resource_nodes: hashes,
          ...core,
        },
        ...others,
      ],
      resource_nodes: hashes.map((hash, index) => ({
        hash,
        owner: registrar.address,
        status: 'linked',
        parent: coreHash,
        address: stubs[index]!.url,
        score: 0.9,
        ...fields[index],
      })),
    }
    await node.publish(sign(registrar, 'AGGREGATE', { key: 'corechannel', content }))
  }

  publishInstance(): Promise<string> {
    return this.#publish('INSTANCE', {
      environment: { internet: false, aleph_api: false, hypervisor: 'qemu' },
      rootfs: { parent: { ref: this.#file, use_latest: false }, persistence: 'host', size_mib: 1024 },
    })
  }

  /** One that always runs. */
  publishProgram(): Promise<string> {
    return this.#publish('PROGRAM', {
      type: 'vm-function',
      code: { encoding: 'squashfs', entrypoint: 'main:app', ref: this.#file, use_latest: false },
      runtime: { ref: this.#file, use_latest: false, comment: '' },
      on: { http: true, persistent: true },
      environment: { reproducible: false, internet: false, aleph_api: false, shared_cache: false },
    })
  }

  async forget(hashes: string[]): Promise<void> {
    await this.node.publish(sign(this.user, 'FORGET', { hashes }))
  }

  /** The compute node that a VM is on, as clients are told. */
  async placeOf(vm: string): Promise<string | undefined> {
    return (await this.node.get(`/api/v0/allocation/${vm}`)).body.node?.node_id
  }

  async vmsOn(computeNode: string): Promise<string[]> {
    const { body } = await this.node.get(`/scheduler/api/v1/vms?node=${computeNode}`)
    return body.items.map((vm: { vm_hash: string }) => vm.vm_hash)
  }

  /** What a compute node was told last. */
  plan(index: number): { instances: string[]; programs: string[] } {
    const { instances = [], persistent_vms = [] } = this.stubs[index]!.plans.at(-1) ?? {}
    return { instances, programs: persistent_vms }
  }

  async #publish(type: 'INSTANCE' | 'PROGRAM', content: object): Promise<string> {
    const message = sign(this.user, type, {
      allow_amend: false,
      resources: { vcpus: 1, memory: 128, seconds: 30 },
      volumes: [],
      ...content,
    })
    expect((await this.node.publish(message)).body).toMatchObject({ message_status: 'processed' })
    return message.item_hash
  }
}
