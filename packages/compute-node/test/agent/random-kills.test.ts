import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isAlive } from '../../src/hypervisor/qemu/host-process.ts'
import { RunDirectory } from '../../src/hypervisor/qemu/run-directory.ts'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { RealNode } from './real-node.ts'

const strikes = 6
const site =
  '#!/bin/sh\nmkdir -p /tmp/www\necho -n $NAME >/tmp/www/index.html\nexec httpd -f -p 127.0.0.1:8080 -h /tmp/www\n'

let node: RealNode
let hashes: string[]

beforeAll(async () => {
  node = await RealNode.start()
  const runtime = node.core.store(await readFile(node.images.runtimes.binary.path))
  const code = node.core.store(writeZip([{ name: 'run.sh', content: site }]))
  const resources = { vcpus: 1, memory: 256, seconds: 20 }
  hashes = ['one', 'two'].map((name) =>
    node.core.program({
      runtime,
      code,
      entrypoint: 'run.sh',
      persistent: true,
      variables: { NAME: name },
      extra: { resources },
    }),
  )
  await node.allocate({ persistent_vms: hashes })
}, 600_000)

afterAll(() => node?.[Symbol.asyncDispose]())

/** Processes of the node's machines that live. */
async function machines(): Promise<number[]> {
  const directory = new RunDirectory(join(node.dataDir, 'supervisor'))
  const pids = await Promise.all((await directory.launchIds()).map((id) => directory.readPid(id)))
  const alive = await Promise.all(
    pids.map(async (pid) => {
      const stat = pid === null ? '' : await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
      return pid !== null && startTicks !== undefined && (await isAlive({ pid, startTicks })) ? [pid] : []
    }),
  )
  return alive.flat()
}

async function answers(): Promise<string[]> {
  return Promise.all(
    hashes.map(async (hash) => {
      const response = await node.call(hash).catch(() => null)
      return response?.status === 200 ? response.text() : 'no answer'
    }),
  )
}

test('whatever is killed, and whenever: everything planned runs again, and nothing else does', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const choose = generator(seed)
  for (let strike = 0; strike < strikes; strike++) {
    const pids = await machines()
    const victim = pids[choose(pids.length + 1)]
    // Sometimes in the midst of putting right what the strike before did.
    if (victim !== undefined) process.kill(victim, 'SIGKILL')
    if (victim === undefined || choose(2) === 0) {
      await node.kill()
      await node.run()
    }
  }
  await expect.poll(answers, { timeout: 50_000, message: `seed ${seed}` }).toEqual(['one', 'two'])
  await expect.poll(async () => (await machines()).length, { message: `seed ${seed}` }).toBe(2)
}, 120_000)

/** Numbers below a bound, the same ones for the same seed. */
function generator(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >>> 8) % bound
  }
}
