import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { devnetProfile, type Envelope, type NetworkProfile } from '@aleph-ts/protocol'
import { type CoreNodeConfig, defaultLimits } from '../../src/config.ts'
import type { ContentFetcher } from '../../src/context.ts'
import { CoreNode } from '../../src/core-node.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
export type Answer = { status: number; body: any }

/** A whole node in this process, with its own data, on a free port. */
export class TestNode {
  readonly node: CoreNode
  readonly dataDir: string

  private constructor(node: CoreNode, dataDir: string) {
    this.node = node
    this.dataDir = dataDir
  }

  static async start(
    options: {
      profile?: NetworkProfile
      contentFetcher?: ContentFetcher
      /** A folder that may hold an earlier run's data. */
      dataDir?: string
      config?: Partial<CoreNodeConfig>
    } = {},
  ): Promise<TestNode> {
    const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'aleph-core-')))
    const profile = options.profile ?? devnetProfile
    const node = await CoreNode.create(
      {
        dataDir,
        http: { host: '127.0.0.1', port: 0 },
        p2p: { host: '127.0.0.1', port: 0, peers: [] },
        profile,
        evmRpc: {},
        allowPrivateNodes: true,
        verifyWorkers: 1,
        privateKeyFile: join(dataDir, 'operator.key'),
        logLevel: 'error',
        limits: { ...defaultLimits, fileBytes: profile.limits.fileBytes },
        maxRetries: 10,
        ...options.config,
      },
      { contentFetcher: options.contentFetcher },
    )
    try {
      await node.start()
    } catch (error) {
      await rm(dataDir, { recursive: true, force: true })
      throw error
    }
    return new TestNode(node, dataDir)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  async get(path: string): Promise<Answer> {
    return answer(await fetch(`${this.node.url}${path}`))
  }

  async post(path: string, body: unknown): Promise<Answer> {
    return answer(
      await fetch(`${this.node.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
  }

  /** Publishes and waits for the outcome. */
  async publish(message: unknown, sync = true): Promise<Answer> {
    return this.post('/api/v0/messages', { message, sync })
  }

  async upload(content: string | Uint8Array, message?: Envelope): Promise<Answer> {
    const form = new FormData()
    if (message) form.append('metadata', JSON.stringify({ message, sync: true }))
    form.append('file', new Blob([content as string]), 'file')
    return answer(await fetch(`${this.node.url}/api/v0/storage/add_file`, { method: 'POST', body: form }))
  }

  /** Gives an address ALEPH as if the chain had said so. */
  async fund(address: string, balance: string): Promise<void> {
    await this.node.context.pool.query(
      `insert into balances (address, chain, balance) values ($1, 'ETH', $2)
       on conflict do nothing`,
      [address, balance],
    )
  }

  /** Resolves when nothing waits to be processed. */
  async settled(): Promise<void> {
    while (this.node.context.inbox.pendingCount > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function answer(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { status: response.status, body: isJson && text ? JSON.parse(text) : text }
}
