import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NetworkProfile } from '@aleph-ts/protocol'
import type pg from 'pg'
import { stateDigests } from '../../src/state/digest.ts'
import { NodeProcess } from '../testing/node-process.ts'
import type { Parcel } from './agreement-story.ts'
import type { ClusterNetwork } from './cluster-network.ts'
import { openPool } from './core-cluster.ts'
import { ownPrefix } from './owned-names.ts'

/** One member: what is there whether it runs or not, and the running node. */
export interface PartedMember {
  name: string
  dataDir: string
  /** Names of the members it dials. */
  dials: string[]
  /** For looking into its database from outside. */
  pool: pg.Pool
  running: NodeProcess | undefined
  /** Where it was found when it first ran, and is found again. */
  found: { url: string; multiaddr: string } | undefined
}

const tally = `
  select (select count(*) from messages) || ' processed, ' || (select count(*) from forgotten_messages) || ' forgotten, '
    || (select count(*) from pending_messages) + (select count(*) from stale_verdicts) || ' waiting'
    || coalesce(' for ' || (select string_agg(distinct type || ' ' || error_code, ', ') from pending_messages), '') as tally`

/** Core nodes, each in a process of its own, on a network that can be parted. */
export class PartedCluster implements AsyncDisposable {
  readonly members: PartedMember[] = []
  readonly #network: ClusterNetwork
  readonly #folder: string
  readonly #agent = new Agent({ keepAlive: true })

  private constructor(network: ClusterNetwork, folder: string) {
    this.#network = network
    this.#folder = folder
  }

  static async create(network: ClusterNetwork, profile: NetworkProfile): Promise<PartedCluster> {
    const folder = await mkdtemp(join(tmpdir(), `${ownPrefix}-`))
    await writeFile(join(folder, 'profile.json'), JSON.stringify(profile))
    return new PartedCluster(network, folder)
  }

  /** Starts a new member that dials others. */
  async add(name: string, dials: PartedMember[]): Promise<PartedMember> {
    const dataDir = join(this.#folder, name)
    const member: PartedMember = {
      name,
      dataDir,
      dials: await Promise.all(
        dials.map((other) => this.#network.route(name, other.name, other.found!.multiaddr)),
      ),
      pool: await openPool(dataDir),
      running: undefined,
      found: undefined,
    }
    this.members.push(member)
    await this.start(member)
    return member
  }

  /** Starts a member, where it was before. */
  async start(member: PartedMember): Promise<void> {
    const { host, httpPort, p2pPort, command } = this.#network.site(member.name)
    const { url, multiaddr } = member.found ?? {}
    member.running = await NodeProcess.start(
      member.dataDir,
      {
        ALEPH_CORE_PROFILE: join(this.#folder, 'profile.json'),
        ALEPH_CORE_HTTP_HOST: host,
        ALEPH_CORE_HTTP_PORT: url ? new URL(url).port : String(httpPort),
        ALEPH_CORE_P2P_HOST: host,
        ALEPH_CORE_P2P_PORT: multiaddr?.split('/')[4] ?? String(p2pPort),
        ALEPH_CORE_P2P_PEERS: member.dials.join(','),
        ALEPH_CORE_RECONCILE_SECONDS: '1',
        ALEPH_CORE_ALLOW_PRIVATE_NODES: 'true',
      },
      command,
    )
    member.found = { url: member.running.url, multiaddr: member.running.multiaddrs[0]! }
  }

  async halt(member: PartedMember): Promise<void> {
    const { running } = member
    member.running = undefined
    await running?.stop()
  }

  async kill(member: PartedMember): Promise<void> {
    const { running } = member
    member.running = undefined
    await running?.kill()
  }

  /** Takes away everything that a stopped member had, but for the keys by which others know it. */
  async empty(member: PartedMember): Promise<void> {
    const before = member.dataDir
    await member.pool.end()
    member.dataDir = `${before}-anew`
    await mkdir(member.dataDir)
    await cp(join(before, 'keys'), join(member.dataDir, 'keys'), { recursive: true })
    await rm(before, { recursive: true })
    member.pool = await openPool(member.dataDir)
  }

  /** Parts some members from all others. */
  part(names: ReadonlySet<string>): Promise<void> {
    return this.#network.part(names)
  }

  join(): Promise<void> {
    return this.#network.join()
  }

  /** Hands a message and its file to a member; false when it did not acknowledge them. */
  async send(member: PartedMember, { message, file }: Parcel): Promise<boolean> {
    if (!member.running) return false
    if (file === undefined) return this.#call(member, '/api/v0/messages', { message, sync: false })
    const form = new FormData()
    form.append('metadata', JSON.stringify({ message, sync: false }))
    form.append('file', new Blob([file]), 'file')
    return this.#call(member, '/api/v0/storage/add_file', form)
  }

  async #call(member: PartedMember, path: string, given: object): Promise<boolean> {
    const { headers, body } =
      given instanceof FormData
        ? await encoded(given)
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(given) }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const door = this.#network.door(member.name, member.found!.url)
    const call = request({ ...door, path, method: 'POST', headers, agent: this.#agent }, (response) => {
      response.on('error', () => resolve(false)).on('end', () => resolve(isTaken(response.statusCode)))
      response.resume()
    })
    call.on('error', () => resolve(false)).end(body)
    return promise
  }

  /** How many messages each of some members has processed, forgotten and waiting. */
  async tallies(members = this.members): Promise<string[]> {
    return Promise.all(
      members.map(async ({ pool }) => (await pool.query<{ tally: string }>(tally)).rows[0]!.tally),
    )
  }

  async digests(): Promise<Record<string, string>[]> {
    return Promise.all(this.members.map(({ pool }) => stateDigests(pool)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    await Promise.all(this.members.map(({ pool }) => pool.end()))
    await Promise.all(this.members.map((member) => this.kill(member)))
    await this.#network[Symbol.asyncDispose]()
    // Databases of killed nodes end a moment after them.
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
  }
}

async function encoded(form: FormData) {
  const response = new Response(form)
  return {
    headers: { 'content-type': response.headers.get('content-type')! },
    body: Buffer.from(await response.arrayBuffer()),
  }
}

/** A message that was refused was taken as well: the rules refuse it everywhere. */
function isTaken(status = 500): boolean {
  return status < 500 && status !== 429
}
