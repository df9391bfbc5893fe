import { afterAll, beforeAll, expect, test } from 'vitest'
import { InstanceOwner } from './instance-owner.ts'
import { killAtOnce, livingMachines } from './living-machines.ts'
import { ownerHeaders } from './owner-headers.ts'
import { RealNode } from './real-node.ts'
import { seededChoice } from './seeded-choice.ts'

const strikes = 3
const volumes = [{ name: 'data', persistence: 'host', size_mib: 64, mount: '/srv/data' }]

let node: RealNode
let owner: InstanceOwner
let hashes: string[]

beforeAll(async () => {
  owner = await InstanceOwner.create()
  node = await RealNode.start()
  hashes = [0, 1].map(() => owner.publish(node, { volumes }))
  expect(await node.allocate({ instances: hashes })).toMatchObject({ success: true })
}, 600_000)

afterAll(async () => {
  await node?.[Symbol.asyncDispose]()
  await owner?.[Symbol.asyncDispose]()
})

/** Writes a line on both disks of each instance, once it lets its owner in. */
async function writeDown(line: string): Promise<void> {
  const command = `echo ${line} | tee -a /root/lines >>/srv/data/lines && sync`
  for (const hash of hashes) await owner.ssh(node, hash, command)
}

test('one that ends again and again is tried less and less often, says why, and can be mended', async () => {
  const [hash] = hashes as [string]
  const ending = "sed -i '2i echo at its end; sleep 1; poweroff -f' /usr/lib/aleph/boot.sh"
  await owner.ssh(node, hash, `echo kept | tee /root/note >/srv/data/note; ${ending}; sync`)
  const [machine] = (await livingMachines(node.dataDir)).filter(({ vm }) => vm === hash)
  killAtOnce(machine!.pid)
  const allocation = async () => (await node.execution(hash))?.allocation
  const failed = {
    state: 'failed',
    error: { code: 'guest_ended', message: expect.stringContaining('shut down') },
  }
  const pauses: number[] = []
  for (const attempts of [2, 3]) {
    await expect.poll(allocation, { timeout: 60_000, interval: 50 }).toMatchObject({ ...failed, attempts })
    pauses.push(Date.parse((await allocation())?.next_retry_at ?? '') - Date.now())
  }
  expect(pauses[1]).toBeGreaterThan(pauses[0]!)
  const logs = `/control/machine/${hash}/logs`
  const log = await fetch(`${node.url}${logs}`, { headers: ownerHeaders(node.core.owner, logs, 'GET') })
  expect(await log.text()).toContain('at its end')
  expect(await owner.ssh(node, hashes[1]!, 'whoami')).toBe('root')

  await owner.operate(node, hash, 'reinstall?erase_volumes=false')
  expect(await owner.ssh(node, hash, 'ls /root/note 2>/dev/null; cat /srv/data/note')).toBe('kept')
}, 240_000)

test('whatever is killed, and whenever: every instance runs again, once, with all it had written', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const choose = seededChoice(seed)
  const written: string[] = []
  for (let strike = 0; strike < strikes; strike++) {
    // Sometimes in the midst of putting right what the strike before did.
    if (choose(3) > 0) {
      await writeDown(`${strike}`)
      written.push(`${strike}`)
    }
    const machines = await livingMachines(node.dataDir)
    const victims = machines.filter(() => choose(2) === 0)
    for (const { pid } of victims) killAtOnce(pid)
    if (victims.length === 0 || choose(2) === 0) {
      await node.kill()
      await node.run()
    }
  }
  for (const hash of hashes) {
    const lines = await owner.ssh(node, hash, 'diff /root/lines /srv/data/lines; cat /root/lines')
    expect(lines.split('\n'), `seed ${seed}`).toEqual(written)
  }
  const running = (await livingMachines(node.dataDir)).map(({ vm }) => vm)
  expect(running.sort(), `seed ${seed}`).toEqual([...hashes].sort())
}, 300_000)
