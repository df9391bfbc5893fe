import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeZip } from '../../src/testing/zip-writer.ts'
import { killAtOnce, livingMachines } from './living-machines.ts'
import { RealNode } from './real-node.ts'
import { seededChoice } from './seeded-choice.ts'

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
  const choose = seededChoice(seed)
  for (let strike = 0; strike < strikes; strike++) {
    const machines = await livingMachines(node.dataDir)
    const victim = machines[choose(machines.length + 1)]
    // Sometimes in the midst of putting right what the strike before did.
    if (victim !== undefined) killAtOnce(victim.pid)
    if (victim === undefined || choose(2) === 0) {
      await node.kill()
      await node.run()
    }
  }
  await expect.poll(answers, { timeout: 50_000, message: `seed ${seed}` }).toEqual(['one', 'two'])
  const running = async () => (await livingMachines(node.dataDir)).map(({ vm }) => vm)
  await expect.poll(async () => (await running()).sort(), { message: `seed ${seed}` }).toEqual(hashes.sort())
})
