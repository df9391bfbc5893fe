import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clearLeftovers } from './leftovers.ts'
import { ip, whyNoNamespaces } from './namespaces.ts'
import { ownPrefix } from './owned-names.ts'

const unavailable = await whyNoNamespaces()

function sleeper(dataDir: string, command: string[] = []) {
  const [file, ...args] = [...command, process.execPath, '-e', 'setInterval(() => {}, 1000)']
  return spawn(file!, args, { env: { ...process.env, ALEPH_CORE_DATA_DIR: dataDir }, stdio: 'ignore' })
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** The id of a process that is gone. */
async function goneOwner(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  return child.pid!
}

test('what a killed test left behind is ended and removed, what a running one uses is not', async () => {
  const owner = await goneOwner()
  const [left, used] = [
    join(tmpdir(), `aleph-parted-${owner}-x`),
    await mkdtemp(join(tmpdir(), `${ownPrefix}-`)),
  ]
  await mkdir(left)
  const [orphan, node] = [sleeper(join(left, 'n1')), sleeper(join(used, 'n1'))]
  try {
    const ended = once(orphan, 'exit')
    await clearLeftovers()
    await ended
    expect(orphan.signalCode).toBe('SIGKILL')
    expect([await isThere(left), await isThere(used)]).toEqual([false, true])
    expect([node.exitCode, node.signalCode]).toEqual([null, null])
  } finally {
    for (const child of [orphan, node]) child.kill('SIGKILL')
    await rm(used, { recursive: true })
  }
})

const because = unavailable ? ` (skipped: ${unavailable})` : ''
test.skipIf(unavailable)(`so are its network namespaces, with the processes in them${because}`, async () => {
  const [left, used] = [`aleph-parted-${await goneOwner()}-n1`, `${ownPrefix}-used`]
  for (const namespace of [left, used]) await ip(`netns add ${namespace}`)
  const orphan = sleeper('/nowhere', ['ip', 'netns', 'exec', left])
  try {
    await expect.poll(() => ip(`netns pids ${left}`)).not.toBe('')
    const ended = once(orphan, 'exit')
    await clearLeftovers()
    await ended
    const names = (await ip('netns list')).split('\n').map((line) => line.split(' ')[0])
    expect([names.includes(left), names.includes(used)]).toEqual([false, true])
  } finally {
    orphan.kill('SIGKILL')
    await ip(`netns delete ${used}`)
  }
})
