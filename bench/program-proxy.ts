import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ComputeNode, configFromEnvironment } from '@aleph-ts/compute-node'
import { FakeCoreNode, FakeHypervisor, imagesDir, writeZip } from '@aleph-ts/compute-node/testing'
import { buildGuestImages } from '@aleph-ts/guest'
import { spread } from './statistics.ts'

const warmUps = 500
const requests = 3_000

/**
 * What a node's proxy adds to a request: the same server asked directly, and as a program of a node whose guests
 * are this process. All is one process, one request at a time.
 */
export async function benchProgramProxy(): Promise<object> {
  const answer: RequestListener = (_request, response) => void response.end('hello')
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const core = await FakeCoreNode.start()
  const dataDir = await mkdtemp(join(tmpdir(), 'aleph-bench-'))
  const config = configFromEnvironment({
    ALEPH_VM_DATA_DIR: dataDir,
    ALEPH_VM_SUPERVISOR_PORT: '0',
    ALEPH_VM_API_SERVERS: core.url,
    ALEPH_VM_HYPERVISOR: 'fake',
    ALEPH_VM_LOG_LEVEL: 'error',
  })
  const node = await ComputeNode.create(config, { hypervisor: new FakeHypervisor(() => answer) })
  try {
    const { url } = await node.start()
    const { runtimes } = await buildGuestImages({ cacheDir: imagesDir() })
    const runtime = core.store(await readFile(runtimes.binary.path))
    const code = core.store(writeZip([{ name: 'main', content: '' }]))
    const hash = core.program({ runtime, code, entrypoint: 'main' })
    const direct = await measure(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const proxied = await measure(`${url}/vm/${hash}/`)
    return { direct: spread(direct), 'through the node': spread(proxied) }
  } finally {
    await node.stop(true)
    await core[Symbol.asyncDispose]()
    server.closeAllConnections()
    server.close()
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function measure(url: string): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < warmUps + requests; i++) {
    const startedAt = performance.now()
    const response = await fetch(url)
    await response.arrayBuffer()
    if (i >= warmUps) times.push(performance.now() - startedAt)
  }
  return times
}
