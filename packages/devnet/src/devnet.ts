import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildGuestImages, type GuestKernel } from '@aleph-ts/guest'
import { devnetProfile } from '@aleph-ts/protocol'
import { AlephClient, EthereumAccount } from '@aleph-ts/sdk'
import { type ComputeNodeProcess, computeNodeProcess } from './compute-node-process.ts'
import { type CoreNodeProcess, type CoreNodeReady, coreNodeProcess } from './core-node-process.ts'
import { type DevnetChain, startChain } from './network/chain.ts'
import {
  fundOnce,
  fundStreamsOnce,
  networkAuthority,
  packerAccount,
  playAccounts,
  rewardsAccount,
  rewardsAleph,
} from './network/funding.ts'
import { type NetworkFile, removeNetworkFile, writeNetworkFile } from './network/network-file.ts'
import { type Operator, operatorOf, writeKeyFile } from './network/operators.ts'
import { paymentsOn } from './network/payments.ts'
import { publishPolicy } from './network/policy.ts'
import { type Ports, takePorts } from './network/ports.ts'
import {
  type ComputeNodeEntry,
  type CoreNodeEntry,
  knownNodes,
  operatorAleph,
  registerComputeNode,
  registerCoreNode,
  registeredAt,
  scoreNewNodes,
  stakeOn,
  stakerAleph,
} from './network/registry.ts'
import { publishRuntimes } from './network/runtimes.ts'
import { DataDirLock } from './process/data-dir-lock.ts'
import { endLeftOverProcesses, forgetProcesses, recordProcesses } from './process/left-over-processes.ts'
import type { Progress } from './progress.ts'

export interface DevnetConfig {
  dataDir: string
  coreNodes: number
  computeNodes: number
  portBase?: number | undefined
  /** The first core node places VMs for all of them; else each does for its compute nodes. */
  central?: boolean
  /** Where guest images are built and kept, for all networks of this machine. */
  guestCacheDir: string
  /** What programs' machines boot; Debian's kernel unless said otherwise. */
  guestKernel?: GuestKernel
  /** Seconds an on-demand program stays up without a request. */
  reuseTimeoutSeconds?: number
  /** Further settings of core nodes, as environment variables. */
  coreEnvironment?: Record<string, string>
  /** Fields of the network's profile that are other than usual. */
  profile?: Record<string, unknown>
  progress: Progress
}

interface RunningCoreNode {
  process: CoreNodeProcess
  ready: CoreNodeReady
  operator: Operator
}

/**
 * A whole network on this machine: a chain, core nodes gossiping with each other, compute nodes linked to
 * them. State lives in the data dir; starting again on it continues.
 *
 *     await using devnet = await Devnet.create({ dataDir, coreNodes: 3, computeNodes: 2, … })
 *     const network = await devnet.start()
 */
export class Devnet {
  readonly #config: DevnetConfig
  readonly #lock: DataDirLock
  readonly #ports: Ports
  #chain: DevnetChain | undefined
  #network: NetworkFile | undefined
  /** Core nodes that serve, in order. */
  readonly coreNodes: RunningCoreNode[] = []
  readonly #coreServices: CoreNodeProcess[] = []
  readonly #computeServices: ComputeNodeProcess[] = []

  private constructor(config: DevnetConfig, lock: DataDirLock, ports: Ports) {
    this.#config = config
    this.#lock = lock
    this.#ports = ports
  }

  /** Takes the data dir, ends what a killed network left running there, and settles on ports. */
  static async create(config: DevnetConfig): Promise<Devnet> {
    const lock = DataDirLock.acquire(config.dataDir)
    try {
      const ended = await endLeftOverProcesses(config.dataDir)
      if (ended > 0) config.progress.note(`ended ${ended} processes an earlier network had left running`)
      return new Devnet(config, lock, await settlePorts(config))
    } catch (error) {
      lock.release()
      throw error
    }
  }

  get network(): NetworkFile {
    if (this.#network === undefined) throw new Error('start() the network first')
    return this.#network
  }

  /** The chain and the contracts on it. */
  get chain(): DevnetChain {
    if (this.#chain === undefined) throw new Error('start() the network first')
    return this.#chain
  }

  /** The processes of the network by name: `core-1`, `compute-2`. */
  get services(): ReadonlyMap<string, { pid: number | undefined }> {
    return new Map(
      [...this.#coreServices, ...this.#computeServices].map((service) => [service.name, service]),
    )
  }

  /** Takes a compute node and what it runs away, for good. */
  async stopComputeNode(name: string): Promise<void> {
    const service = this.#computeServices.find((each) => each.name === name)
    if (!service) throw new Error(`There is no compute node ${name}`)
    await service.stop()
  }

  /** Stops everything, even what is only starting, in the opposite order. */
  async stop(): Promise<void> {
    await Promise.all(this.#computeServices.map((service) => service.stop()))
    await Promise.all(this.#coreServices.map((service) => service.stop()))
    await this.#chain?.chain.stop()
    removeNetworkFile(this.#config.dataDir)
    forgetProcesses(this.#config.dataDir)
    await this.#ports[Symbol.asyncDispose]()
    this.#lock.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** A client of the `index`-th core node that signs as `account`. */
  client(index: number, account?: EthereumAccount): AlephClient {
    const { url } = this.coreNodes[index]!.ready
    return new AlephClient({ apiUrl: url, ...(account ? { account } : {}) })
  }

  /** Brings everything up; resolves when every node serves. After a failure, `stop()` cleans up. */
  async start(): Promise<NetworkFile> {
    const { progress, dataDir } = this.#config
    const images = await progress.step('Guest images: kernel, agent and runtimes', (note) =>
      buildGuestImages({
        cacheDir: this.#config.guestCacheDir,
        kernel: this.#config.guestKernel ?? 'debian',
        onProgress: note,
      }),
    )
    this.#chain = await progress.step('EVM chain with the ALEPH token', () =>
      startChain(dataDir, this.#ports.chain, progress.note),
    )
    await progress.step('Accounts funded', () => this.#fundAccounts())
    await progress.step(`${this.#config.coreNodes} core nodes`, () => this.#startCoreNodes())
    const authority = this.client(0, EthereumAccount.fromPrivateKey(networkAuthority.privateKey))
    const entries = await progress.step('Nodes registered and linked', () => this.#register(authority))
    const runtimes = await progress.step('Runtimes published', (note) =>
      publishRuntimes(authority, images, join(dataDir, 'runtimes.json'), note),
    )
    await publishPolicy(authority, runtimes, join(dataDir, 'policy.json'))
    await progress.step(`${this.#config.computeNodes} compute nodes`, () => this.#startComputeNodes(entries))
    this.#network = this.#describe(entries, runtimes)
    writeNetworkFile(dataDir, this.#network)
    return this.#network
  }

  async #fundAccounts(): Promise<void> {
    const players = playAccounts.map(({ address, aleph }) => ({ to: address, aleph }))
    const operators = this.#operators().flatMap(({ account, staker }) => [
      { to: account.address, aleph: operatorAleph },
      { to: staker.address, aleph: stakerAleph },
    ])
    const file = join(this.#config.dataDir, 'chain', 'funded.json')
    const rewards = { to: rewardsAccount.address, aleph: rewardsAleph }
    await fundOnce(this.chain, file, [...players, ...operators, rewards])
    await fundStreamsOnce(this.chain, join(this.#config.dataDir, 'chain', 'streams.json'))
  }

  /** The first node alone, so that the others know whom to dial; then all the others at once. */
  async #startCoreNodes(): Promise<void> {
    const profile = this.#writeProfile()
    const first = await this.#startCoreNode(0, profile, [])
    this.coreNodes.push(first)
    const others = Array.from({ length: this.#config.coreNodes - 1 }, (_, i) =>
      this.#startCoreNode(i + 1, profile, first.ready.multiaddrs),
    )
    this.coreNodes.push(...(await Promise.all(others)))
  }

  async #startCoreNode(index: number, profile: string, peers: string[]): Promise<RunningCoreNode> {
    const name = `core-${index + 1}`
    const dataDir = this.#coreNodeDir(index)
    const operator = operatorOf(dataDir)
    const process = coreNodeProcess({
      name,
      dataDir,
      logFile: join(this.#config.dataDir, 'logs', `${name}.log`),
      httpPort: this.#ports.coreHttp(index),
      p2pPort: this.#ports.coreP2p(index),
      peers,
      profile,
      ethereumRpc: this.chain.chain.rpcUrl,
      operatorKeyFile: operator.keyFile,
      environment: this.#config.coreEnvironment ?? {},
      ...(index === 0 ? networkKeys(dataDir) : {}),
    })
    this.#coreServices.push(process)
    this.#watch(process)
    const ready = await process.start()
    this.#recordProcesses()
    return { process, ready, operator }
  }

  /** Operators register and link their nodes, stakers stake, and every core node must come to the same registry. */
  async #register(authority: AlephClient): Promise<{ core: CoreNodeEntry[]; compute: ComputeNodeEntry[] }> {
    const known = await knownNodes(authority)
    const core: CoreNodeEntry[] = []
    for (const [index, { ready, operator, process }] of this.coreNodes.entries()) {
      const entry = await registerCoreNode(this.client(index, operator.account), known, {
        owner: operator.account.address,
        name: process.name,
        multiaddress: ready.multiaddrs[0]!,
        url: ready.url,
      })
      await stakeOn(this.client(index, operator.staker), known, entry.hash)
      core.push(entry)
    }
    const compute: ComputeNodeEntry[] = []
    for (let index = 0; index < this.#config.computeNodes; index++) {
      const parentIndex = index % core.length
      const { operator } = this.coreNodes[parentIndex]!
      const entry = await registerComputeNode(this.client(parentIndex, operator.account), known, {
        owner: operator.account.address,
        name: `compute-${index + 1}`,
        url: `http://127.0.0.1:${this.#ports.compute(index)}`,
        parent: core[parentIndex]!.hash,
      })
      compute.push(entry)
    }
    const entries = { core, compute }
    await scoreNewNodes(authority, known, entries)
    await Promise.all(this.coreNodes.map((_, index) => registeredAt(this.client(index), entries)))
    return entries
  }

  #operators(): Operator[] {
    return Array.from({ length: this.#config.coreNodes }, (_, index) => operatorOf(this.#coreNodeDir(index)))
  }

  #coreNodeDir(index: number): string {
    return join(this.#config.dataDir, `core-${index + 1}`)
  }

  async #startComputeNodes(entries: { core: CoreNodeEntry[]; compute: ComputeNodeEntry[] }): Promise<void> {
    const urls = entries.core.map((each) => each.url)
    const starting = entries.compute.map(async (entry) => {
      const own = entries.core.find((each) => each.hash === entry.parent)!.url
      const node = computeNodeProcess({
        name: entry.name,
        dataDir: join(this.#config.dataDir, entry.name),
        logFile: join(this.#config.dataDir, 'logs', `${entry.name}.log`),
        port: Number(new URL(entry.url).port),
        coreNodeUrls: [own, ...urls.filter((url) => url !== own)],
        nodeHash: entry.hash,
        ownerAddress: entry.owner,
        guestImagesDir: this.#config.guestCacheDir,
        guestKernel: this.#config.guestKernel ?? 'debian',
        profile: this.#profileFile,
        ethereumRpc: this.chain.chain.rpcUrl,
        ...(this.#config.reuseTimeoutSeconds === undefined
          ? {}
          : { reuseTimeoutSeconds: this.#config.reuseTimeoutSeconds }),
      })
      this.#computeServices.push(node)
      this.#watch(node)
      await node.start()
    })
    await Promise.all(starting)
    this.#recordProcesses()
  }

  get #profileFile(): string {
    return join(this.#config.dataDir, 'profile.json')
  }

  #writeProfile(): string {
    const { chain, contracts } = this.chain
    const { streams, creditSales } = paymentsOn(this.chain)
    const profile = {
      extends: 'devnet',
      streams,
      creditSales,
      addresses: {
        ...devnetProfile.addresses,
        observers: this.#operators().map(({ account }) => account.address),
        rewardsPayer: rewardsAccount.address,
      },
      tokens: [
        { chain: 'ETH', evmChainId: chain.chainId, contract: contracts.token, decimals: 18, startBlock: 0 },
      ],
      syncContract: {
        chain: 'ETH',
        evmChainId: chain.chainId,
        contract: contracts.sync,
        startBlock: 0,
        authorizedEmitters: [packerAccount.address],
      },
      ...(this.#config.central ? centralPlacement : {}),
      ...this.#config.profile,
    }
    writeFileSync(this.#profileFile, `${JSON.stringify(profile, null, 2)}\n`)
    return this.#profileFile
  }

  #describe(
    entries: { core: CoreNodeEntry[]; compute: ComputeNodeEntry[] },
    runtimes: Record<string, string>,
  ): NetworkFile {
    const { chain, contracts } = this.chain
    const { streams, creditSales } = paymentsOn(this.chain)
    const withRpc = <T extends object>(payments: T[]) =>
      payments.map((each) => ({ ...each, rpc: chain.rpcUrl }))
    return {
      coreNodes: this.coreNodes.map(({ ready }) => ({
        url: ready.url,
        peerId: ready.peerId,
        address: ready.address,
      })),
      computeNodes: entries.compute.map((each) => ({
        url: each.url,
        coreNode: entries.core.find((node) => node.hash === each.parent)!.url,
      })),
      chain: {
        rpc: chain.rpcUrl,
        chainId: chain.chainId,
        contracts: { token: contracts.token, sync: contracts.sync },
      },
      streams: withRpc(streams),
      creditSales: withRpc(creditSales),
      accounts: playAccounts,
      runtimes,
    }
  }

  #watch(node: CoreNodeProcess | ComputeNodeProcess): void {
    const { note } = this.#config.progress
    node.on('died', (reason) => note(`${node.name} ended by itself (${reason}), starting it again`))
    node.on('restarted', () => {
      this.#recordProcesses()
      note(`${node.name} is back`)
    })
  }

  #recordProcesses(): void {
    const core = this.#coreServices.map(({ pid }) => ({ pid, command: 'core-node/src/main.ts' }))
    const compute = this.#computeServices.map(({ pid }) => ({ pid, command: 'compute-node/src/main.ts' }))
    recordProcesses(
      this.#config.dataDir,
      [...core, ...compute].flatMap(({ pid, command }) => (pid === undefined ? [] : [{ pid, command }])),
    )
  }
}

/** One core node speaks for the network and puts messages on chain. */
function networkKeys(nodeDir: string) {
  return {
    publisherKeyFile: writeKeyFile(join(nodeDir, 'publisher.key'), networkAuthority.privateKey),
    rewardsKeyFile: writeKeyFile(join(nodeDir, 'rewards.key'), rewardsAccount.privateKey),
    packerKeyFile: writeKeyFile(join(nodeDir, 'packer.key'), packerAccount.privateKey),
  }
}

/** The key of the network's authority, which the first core node holds, places VMs and is believed by compute nodes. */
const centralPlacement = {
  placement: { ...devnetProfile.placement, scheduler: networkAuthority.address },
  defaultAllocationSigners: [networkAuthority.address],
}

/** The block of ports of this data dir: as asked, else as last time, else a free one. */
async function settlePorts(config: DevnetConfig): Promise<Ports> {
  const file = join(config.dataDir, 'ports.json')
  const before = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as { base: number }).base
    : undefined
  const ports = await takePorts(config.portBase ?? before, config.coreNodes, config.computeNodes)
  writeFileSync(file, JSON.stringify({ base: ports.base }))
  return ports
}
