import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ComputeNode, configFromEnvironment } from '@aleph-ts/compute-node'
import { FakeHypervisor } from '@aleph-ts/compute-node/testing'
import { devAccounts } from '@aleph-ts/contracts/local-chain'
import { CoreNode, defaultLimits } from '@aleph-ts/core-node'
import { devnetProfile, type NetworkProfile, schedulerChannel, sha256Hex } from '@aleph-ts/protocol'
import { AlephClient, buildMessage, EthereumAccount } from '@aleph-ts/sdk'

/** Instances are placed on nodes with QEMU only; here nothing of theirs runs but the agent's side. */
class QemuByName extends FakeHypervisor {
  override async probe() {
    return { ...(await super.probe()), hypervisor: 'qemu' as const }
  }
}

interface RunningComputeNode {
  hash: string
  node: ComputeNode
  url: string
  dataDir: string
}

const [authorityKey] = devAccounts(1)
const coreHash = (index: number) => sha256Hex(`core ${index}`)

/** Core nodes and compute nodes that run instances, real but for their guests, and a user with credits. */
export class InstanceNetwork {
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'aleph-instances-'))
  readonly #profile: NetworkProfile
  readonly #profileFile = join(this.#dataDir, 'profile.json')
  readonly authority = EthereumAccount.fromPrivateKey(authorityKey!.privateKey)
  readonly user = EthereumAccount.generate().account
  readonly coreNodes: CoreNode[] = []
  readonly computeNodes: RunningComputeNode[] = []
  #image = ''
  #published = 0

  private constructor(profile: Partial<NetworkProfile>) {
    this.#profile = { ...devnetProfile, ...profile }
    writeFileSync(this.#profileFile, JSON.stringify({ extends: 'devnet', ...profile }))
  }

  /** @param options.parents of each compute node, the index of its core node; the first core node has the network's key */
  static async start(options: {
    coreNodes: number
    parents: number[]
    profile?: Partial<NetworkProfile>
  }): Promise<InstanceNetwork> {
    const network = new InstanceNetwork(options.profile ?? {})
    for (let index = 0; index < options.coreNodes; index++) await network.#startCoreNode(index)
    for (const [index, parent] of options.parents.entries()) await network.#startComputeNode(index, parent)
    await network.link(options.parents)
    await network.#publishImage()
    return network
  }

  async stop(): Promise<void> {
    for (const { node } of this.computeNodes) await node.stop(true)
    for (const node of this.coreNodes) await node.stop()
    rmSync(this.#dataDir, { recursive: true, force: true })
  }

  /** A client of a core node that signs as the network's authority. */
  client(index: number, account = this.authority): AlephClient {
    return new AlephClient({ apiUrl: this.coreNodes[index]!.url, account })
  }

  async publishInstance(): Promise<string> {
    const client = this.client(0, this.user)
    const content = {
      allow_amend: false,
      // What is alike in all is one message.
      metadata: { name: `instance ${this.#published++}` },
      environment: { internet: true, hypervisor: 'qemu' as const },
      resources: { vcpus: 1, memory: 256, seconds: 30 },
      payment: { chain: 'ETH' as const, type: 'credit' as const },
      rootfs: { parent: { ref: this.#image, use_latest: false }, persistence: 'host' as const, size_mib: 16 },
      volumes: [{ mount: '/srv', name: 'data', persistence: 'host' as const, size_mib: 8 }],
    }
    const { itemHash } = await client.send(
      buildMessage('INSTANCE', content, { account: this.user, channel: 'TEST' }),
    )
    await client.waitForMessage(itemHash)
    return itemHash
  }

  async drain(index: number, wish: boolean): Promise<void> {
    const content = { [this.computeNodes[index]!.hash]: wish }
    await this.client(0).publishAggregate({ key: 'node-drains', content }, { channel: schedulerChannel })
  }

  /** Which compute node a VM is on, as a core node tells; -1: none. */
  async placeOf(vm: string, coreNode = 0): Promise<number> {
    const place = await this.client(coreNode).getAllocation(vm)
    return this.computeNodes.findIndex(({ hash }) => hash === place?.computeNode.hash)
  }

  /** The core nodes that say a VM is with them. */
  async claimsOf(vm: string): Promise<number[]> {
    const claims = await Promise.all(
      this.coreNodes.map(({ address }) => this.client(0).getAggregate(address, 'allocations')),
    )
    return claims.flatMap((content, index) => ((content as Record<string, unknown>)?.[vm] ? [index] : []))
  }

  /** Hash of the instance's data disk where it is; every new disk is another. */
  async diskOf(vm: string, index: number): Promise<string | undefined> {
    const { dataDir } = this.computeNodes[index]!
    const files = await readdir(dataDir, { recursive: true })
    const disk = files.find((file) => file.includes(vm.slice(0, 16)) && file.endsWith('data.ext4'))
    if (disk === undefined) return undefined
    return createHash('sha256')
      .update(readFileSync(join(dataDir, disk)))
      .digest('hex')
  }

  async isRunning(vm: string, index: number): Promise<boolean> {
    const response = await fetch(`${this.computeNodes[index]!.url}/v2/about/executions/list`)
    const executions = (await response.json()) as Record<string, { running: boolean }>
    return executions[vm]?.running === true
  }

  /** What happened to a VM, the newest first. */
  async historyOf(vm: string, coreNode = 0): Promise<object[]> {
    const response = await fetch(`${this.coreNodes[coreNode]!.url}/scheduler/api/v1/vms/${vm}/history`)
    return ((await response.json()) as { items: object[] }).items
  }

  async #startCoreNode(index: number): Promise<void> {
    const dataDir = join(this.#dataDir, `core-${index}`)
    const publisherKeyFile = join(this.#dataDir, 'publisher.key')
    writeFileSync(publisherKeyFile, authorityKey!.privateKey)
    const node = await CoreNode.create({
      dataDir,
      http: { host: '127.0.0.1', port: 0 },
      p2p: {
        host: '127.0.0.1',
        port: 0,
        peers: this.coreNodes.flatMap(({ multiaddrs }) => multiaddrs.slice(0, 1)),
        reconcileSeconds: 1,
      },
      profile: this.#profile,
      evmRpc: {},
      verifyWorkers: 1,
      privateKeyFile: join(dataDir, 'operator.key'),
      ...(index === 0 ? { publisherKeyFile } : {}),
      logLevel: 'error',
      limits: defaultLimits,
      maxRetries: 10,
      allowPrivateNodes: true,
      placement: {
        pollSeconds: 0.5,
        moveProgramsAfterSeconds: 600,
        moveInstancesAfterSeconds: 600,
        unlinkSeconds: 2,
      },
    })
    this.coreNodes.push(node)
    await node.start()
  }

  async #startComputeNode(index: number, parent: number): Promise<void> {
    const hash = sha256Hex(`compute ${index}`)
    const config = configFromEnvironment({
      ALEPH_VM_DATA_DIR: join(this.#dataDir, `compute-${index}`),
      ALEPH_VM_SUPERVISOR_PORT: '0',
      ALEPH_VM_API_SERVERS: this.coreNodes[parent]!.url,
      ALEPH_VM_HYPERVISOR: 'fake',
      ALEPH_VM_LOG_LEVEL: 'silent',
      ALEPH_VM_NODE_HASH: hash,
      ALEPH_VM_OWNER_ADDRESS: this.authority.address,
      ALEPH_VM_PROFILE: this.#profileFile,
      ALEPH_VM_MIGRATE_FROM_PRIVATE: '1',
    })
    const node = await ComputeNode.create(config, { hypervisor: new QemuByName() })
    this.computeNodes.push({ hash, node, url: (await node.start()).url, dataDir: config.dataDir })
  }

  /** @param parents of each compute node, the index of its core node; null: it is linked to none */
  async link(parents: (number | null)[]): Promise<void> {
    const content = {
      nodes: this.coreNodes.map((node, index) => ({
        hash: coreHash(index),
        owner: node.address,
        multiaddress: node.multiaddrs[0],
        address: node.url,
        status: 'active',
        resource_nodes: this.computeNodes
          .filter((_, each) => parents[each] === index)
          .map(({ hash }) => hash),
      })),
      resource_nodes: this.computeNodes.map(({ hash, url }, index) => ({
        hash,
        name: hash,
        owner: this.authority.address,
        status: parents[index] === null ? 'waiting' : 'linked',
        parent: parents[index] === null ? null : coreHash(parents[index]!),
        address: url,
      })),
    }
    await this.client(0).publishAggregate({ key: 'corechannel', content })
  }

  async #publishImage(): Promise<void> {
    const credits = [
      { address: this.user.address, amount: 100_000_000, price: '1', tx_hash: '0x', provider: 'TEST' },
    ]
    const client = this.client(0)
    await client.publishPost(
      { postType: 'aleph_credit_distribution', content: { distribution: { credits } } },
      { channel: 'ALEPH_CREDIT' },
    )
    const { itemHash } = await client.uploadFile({ file: new Uint8Array(1024 * 1024) })
    await client.waitForMessage(itemHash)
    this.#image = itemHash
  }
}
