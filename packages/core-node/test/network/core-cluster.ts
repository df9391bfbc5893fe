import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Envelope } from '@aleph-ts/protocol'
import type pg from 'pg'
import { pino } from 'pino'
import { EmbeddedDatabase } from '../../src/database/embedded-postgres.ts'
import { createPool } from '../../src/database/pool.ts'
import { stateDigests } from '../../src/state/digest.ts'
import { NodeProcess } from '../testing/node-process.ts'
import { TestNode } from '../testing/test-node.ts'

const logger = pino({ level: 'silent' })
const reconcileSeconds = 1

/** One member of a cluster: what is there whether it runs or not, and the running node. */
export interface Member {
  name: string
  dataDir: string
  peers: string[]
  /** For looking into its database from outside. */
  pool: pg.Pool
  running: TestNode | NodeProcess | undefined
}

/** Several core nodes, each with its own data folder and database. */
export class CoreCluster {
  readonly members: Member[] = []
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async create(): Promise<CoreCluster> {
    return new CoreCluster(await mkdtemp(join(tmpdir(), 'aleph-cluster-')))
  }

  /** Prepares a member that dials these peers; it does not run yet. */
  async add(name: string, peers: string[]): Promise<Member> {
    const dataDir = join(this.#folder, name)
    const member = { name, dataDir, peers, pool: await openPool(dataDir), running: undefined }
    this.members.push(member)
    return member
  }

  /** Starts a member in this process. */
  async run(member: Member): Promise<TestNode> {
    const node = await TestNode.start({
      dataDir: member.dataDir,
      config: {
        p2p: { host: '127.0.0.1', port: 0, peers: member.peers, reconcileSeconds },
      },
    })
    member.running = node
    return node
  }

  /** Starts a member in a process of its own, which can be killed. */
  async runApart(member: Member): Promise<NodeProcess> {
    const node = await NodeProcess.start(member.dataDir, {
      ALEPH_CORE_P2P_PEERS: member.peers.join(','),
      ALEPH_CORE_RECONCILE_SECONDS: String(reconcileSeconds),
    })
    member.running = node
    return node
  }

  async halt(member: Member): Promise<void> {
    const { running } = member
    member.running = undefined
    if (running instanceof TestNode) await running.node.stop()
    else await running?.stop()
  }

  /** Takes a stopped member's memory away. */
  async empty(member: Member): Promise<void> {
    await member.pool.end()
    member.dataDir = `${member.dataDir}-anew`
    member.pool = await openPool(member.dataDir)
  }

  /** Hands a message to a running member; false when it did not acknowledge. */
  async send(member: Member, message: Envelope): Promise<boolean> {
    const { running } = member
    if (!running) return false
    const url = running instanceof TestNode ? running.node.url : running.url
    try {
      const response = await fetch(`${url}/api/v0/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ message, sync: false }),
      })
      return response.status === 200 || response.status === 202
    } catch {
      return false
    }
  }

  /** How many messages each member has processed, forgotten, waiting and refused. */
  async tallies(): Promise<string[]> {
    return Promise.all(
      this.members.map(async ({ pool }) => {
        const { rows } = await pool.query<{ tally: string }>(
          `select (select count(*) from messages) || ' processed, ' || (select count(*) from forgotten_messages)
             || ' forgotten, ' || (select count(*) from pending_messages) || ' waiting, '
             || (select count(*) from rejected_messages) || ' refused' as tally`,
        )
        return rows[0]!.tally
      }),
    )
  }

  async digests(): Promise<Record<string, string>[]> {
    return Promise.all(this.members.map(({ pool }) => stateDigests(pool)))
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(({ pool }) => pool.end()))
    await Promise.all(this.members.map((member) => this.halt(member)))
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** Looks into the database of a node, whether it runs or not. */
export async function openPool(dataDir: string): Promise<pg.Pool> {
  const { connectionString } = await EmbeddedDatabase.create({ dataDir })
  return createPool({ connectionString, logger, maxConnections: 1 })
}
