import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { QmpClient } from './qmp-client.ts'
import { SevLaunch } from './sev-launch.ts'

interface Command {
  execute: string
  arguments?: unknown
  id: number
}

const answers: Record<string, unknown> = {
  'query-sev': {
    enabled: true,
    'api-major': 1,
    'api-minor': 55,
    'build-id': 24,
    policy: 1,
    state: 'launch-secret',
    handle: 3,
  },
  'query-sev-launch-measure': { data: 'bWVhc3VyZQ==' },
  'query-status': { status: 'running', singlestep: false, running: true },
}

let directory: string
let server: Server
let qmp: QmpClient
let commands: Pick<Command, 'execute' | 'arguments'>[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aleph-sev-launch-'))
  commands = []
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n')
    createInterface({ input: socket }).on('line', (line) => {
      const { id, execute, arguments: given } = JSON.parse(line) as Command
      commands.push({ execute, ...(given !== undefined && { arguments: given }) })
      socket.write(`${JSON.stringify({ return: answers[execute] ?? {}, id })}\r\n`)
    })
  })
  server.listen(join(directory, 'qmp'))
  await once(server, 'listening')
  qmp = await QmpClient.connect(join(directory, 'qmp'))
  commands = []
})

afterEach(async () => {
  qmp.close()
  server.close()
  await rm(directory, { recursive: true, force: true })
})

test('the owner reads what was launched', async () => {
  expect(await new SevLaunch(qmp).measurement()).toEqual({
    info: {
      enabled: true,
      apiMajor: 1,
      apiMinor: 55,
      buildId: 24,
      policy: 1,
      state: 'launch-secret',
      handle: 3,
    },
    measure: 'bWVhc3VyZQ==',
  })
})

test('the guest runs once it has the secret, not before', async () => {
  const status = await new SevLaunch(qmp).injectSecret('aGVhZGVy', 'c2VjcmV0')
  expect(status).toMatchObject({ status: 'running', running: true })
  expect(commands).toEqual([
    {
      execute: 'sev-inject-launch-secret',
      arguments: { 'packet-header': 'aGVhZGVy', secret: 'c2VjcmV0' },
    },
    { execute: 'cont' },
    { execute: 'query-status' },
  ])
})
