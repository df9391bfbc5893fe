import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { FakeCoreNode, imagesDir, testKernel, writeZip } from '@aleph-ts/compute-node/testing'
import { buildGuestImages, type GuestImages, type RuntimeName } from '@aleph-ts/guest'
import { ComputeNodeClient, EthereumAccount } from '@aleph-ts/sdk'

const sources: Record<RuntimeName, { entrypoint: string; file: string; text: string }> = {
  node: {
    entrypoint: 'main.ts',
    file: 'main.ts',
    text: `export default async function (request: Request): Promise<Response> {
  const wait = Number(new URL(request.url).searchParams.get('wait') ?? 0)
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
  return new Response('hello')
}
`,
  },
  python: {
    entrypoint: 'main:app',
    file: 'main.py',
    text: `async def app(scope, receive, send):
    if scope['type'] != 'http':
        return
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': b'hello'})
`,
  },
  binary: {
    entrypoint: 'run.sh',
    file: 'run.sh',
    text: '#!/bin/sh\nmkdir -p /tmp/www\necho -n hello >/tmp/www/index.html\nexec httpd -f -p 127.0.0.1:8080 -h /tmp/www\n',
  },
}

/** Memory of one machine's process, bytes. */
export interface MachineMemory {
  /** Shared pages count by the number of their users. */
  proportional: number
  /** What it shares with nobody. */
  own: number
}

/** Longest wait for an answer: a bench ends, whatever happens. */
const callMs = 180_000

/** One compute node in a process of its own, with real guests; its programs come from a core node in memory. */
export class ProgramLab implements AsyncDisposable {
  readonly core: FakeCoreNode
  readonly #images: GuestImages
  readonly #dataDir: string
  readonly #node: ChildProcess
  readonly #url: string
  #deployed = 0

  private constructor(
    core: FakeCoreNode,
    images: GuestImages,
    dataDir: string,
    node: ChildProcess,
    url: string,
  ) {
    this.core = core
    this.#images = images
    this.#dataDir = dataDir
    this.#node = node
    this.#url = url
  }

  static async start(environment: Record<string, string> = {}): Promise<ProgramLab> {
    const images = await buildGuestImages({ cacheDir: imagesDir(), kernel: testKernel() })
    const core = await FakeCoreNode.start()
    const dataDir = await mkdtemp(join(tmpdir(), 'aleph-bench-'))
    const script = join(import.meta.dirname, '../packages/compute-node/src/main.ts')
    const node = spawn(process.execPath, [script], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {
        PATH: process.env.PATH,
        ALEPH_VM_DATA_DIR: dataDir,
        ALEPH_VM_SUPERVISOR_PORT: '0',
        ALEPH_VM_API_SERVERS: core.url,
        ALEPH_VM_GUEST_IMAGES_DIR: imagesDir(),
        ALEPH_VM_GUEST_KERNEL: testKernel(),
        ALEPH_VM_STOP_VMS_ON_EXIT: '1',
        ALEPH_VM_LOG_LEVEL: 'error',
        ...environment,
      },
    })
    const [line] = await once(createInterface({ input: node.stdout! }), 'line')
    return new ProgramLab(core, images, dataDir, node, (JSON.parse(line) as { url: string }).url)
  }

  /** Publishes a program like no other, though of the same code; returns its hash. */
  async deploy(runtime: RuntimeName, memoryMiB = 256): Promise<string> {
    const { entrypoint, file, text } = sources[runtime]
    return this.core.program({
      runtime: this.core.store(await readFile(this.#images.runtimes[runtime].path)),
      code: this.core.store(writeZip([{ name: file, content: text }])),
      entrypoint,
      variables: { BENCH_RUN: String(this.#deployed++) },
      extra: { resources: { vcpus: 1, memory: memoryMiB, seconds: 300 } },
    })
  }

  url(hash: string, path = '/'): string {
    return `${this.#url}/vm/${hash}${path}`
  }

  /** Milliseconds from the request to the first byte of the answer. */
  async firstByte(hash: string, path = '/'): Promise<number> {
    const startedAt = performance.now()
    const response = await fetch(this.url(hash, path), { signal: AbortSignal.timeout(callMs) })
    if (!response.ok) throw new Error(`the program answered ${response.status}: ${await response.text()}`)
    await response.arrayBuffer()
    return performance.now() - startedAt
  }

  async stop(hash: string): Promise<void> {
    const account = EthereumAccount.fromPrivateKey(
      `0x${Buffer.from(this.core.owner.privateKey).toString('hex')}`,
    )
    await new ComputeNodeClient(this.#url, { account }).operate(hash, 'stop')
  }

  /** Memory of each machine whose VM's id begins so. */
  async memory(id: string): Promise<MachineMemory[]> {
    const sizes = await Promise.all((await readdir('/proc')).map((pid) => machineMemory(pid, id)))
    return sizes.filter((size) => size !== null)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#node.kill('SIGTERM')
    await once(this.#node, 'exit')
    await this.core[Symbol.asyncDispose]()
    await rm(this.#dataDir, { recursive: true, force: true })
  }
}

async function machineMemory(pid: string, id: string): Promise<MachineMemory | null> {
  if (!/^\d+$/.test(pid)) return null
  const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  if (!command[0]?.includes('qemu')) return null
  // Beside a machine's process id stands which VM it is.
  const pidFile = command[command.indexOf('-pidfile') + 1] ?? ''
  const vm = await readFile(join(dirname(pidFile), 'vm'), 'utf8').catch(() => '')
  if (!vm.startsWith(id)) return null
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')
  const bytes = (field: string) => {
    const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1]
    return kib === undefined ? null : Number(kib) * 1024
  }
  const [proportional, own] = [bytes('Pss'), bytes('Pss_Anon')]
  return proportional === null || own === null ? null : { proportional, own }
}
