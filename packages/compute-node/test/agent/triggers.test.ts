import { text } from 'node:stream/consumers'
import { signAllocationRequest } from '@aleph-ts/protocol'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { FakeProgram } from '../../src/hypervisor/index.ts'
import { testAccount } from '../../src/testing/fake-core-node.ts'
import { eventually, TestNode } from './test-node.ts'

const scheduler = testAccount()
let node: TestNode
let lastTime = Math.floor(Date.now() / 1000)

interface Heard {
  url: string | undefined
  event: string | string[] | undefined
  body: string
}
let heard: Heard[] = []

const listening: FakeProgram = (request, response) => {
  const { url, headers } = request
  text(request).then((body) => {
    heard.push({ url, event: headers['aleph-event'], body })
    response.end()
  })
}

const posts = () => heard.map(({ body }) => JSON.parse(body).content.content)

beforeAll(async () => {
  node = await TestNode.start({ environment: { ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS: scheduler.address } })
})
afterAll(() => node[Symbol.asyncDispose]())
beforeEach(() => {
  heard = []
})

/** A program that wants messages matching the subscriptions. */
function subscriber(message: object[], persistent = false): Promise<string> {
  return node.deploy(listening, { extra: { on: { http: true, persistent, message } } })
}

/** Has the node follow a plan, and wait until it hears the messages the plan's programs want. */
async function allocate(plan: { persistent_vms?: string[]; on_demand_vms?: string[] }): Promise<void> {
  const path = '/control/allocations'
  const body = Buffer.from(JSON.stringify({ persistent_vms: [], instances: [], ...plan }))
  const { privateKey } = scheduler
  const authorization = signAllocationRequest({ method: 'POST', path, body, iat: lastTime--, privateKey })
  await fetch(`${node.url}${path}`, { method: 'POST', body, headers: { authorization } })
}

const following = (part: string) => eventually(() => node.core.requests.some((path) => path.includes(part)))
const post = (type: string, content: unknown, sender = node.core.owner) =>
  node.core.publish('POST', { type, content }, sender)

test('a planned program is started for messages it subscribed to, and told of each once', async () => {
  const hash = await subscriber([{ type: 'POST', content: { type: 'chat-a' } }])
  await allocate({ on_demand_vms: [hash] })
  await following('msgTypes=POST')
  post('other', 'not for it')
  post('chat-a', 'one')
  post('chat-a', 'two')
  await eventually(() => heard.length === 2)
  expect(posts().sort()).toEqual(['one', 'two'])
  expect(heard[0]).toMatchObject({ url: '/.well-known/aleph/message', event: 'message' })
  expect(JSON.parse(heard[0]?.body ?? '')).toMatchObject({
    type: 'POST',
    sender: node.core.owner.address,
    content: { type: 'chat-a' },
  })
  const metrics = await (await fetch(`${node.url}/metrics`)).text()
  expect(metrics).toMatch(/aleph_program_messages_total\{outcome="answered"\} 2/)
})

test('core nodes are asked for no more than the programs want', async () => {
  const { address } = node.core.owner
  const hash = await subscriber([{ type: 'POST', sender: address, channel: 'TEST', content: { type: 'b' } }])
  await allocate({ on_demand_vms: [hash] })
  await following(`msgTypes=POST&addresses=${address}&channels=TEST`)
})

test('a program that is in no plan is told nothing; one that left the plan, nothing more', async () => {
  const wanted = [{ content: { type: 'chat-c' } }]
  const hash = await subscriber(wanted)
  const unplanned = await subscriber(wanted)
  await node.call(unplanned)
  await allocate({ on_demand_vms: [hash] })
  await eventually(() => {
    post('chat-c', 'hello')
    return heard.some(({ event }) => event === 'message')
  })
  await allocate({})
  const told = heard.length
  await eventually(() => node.core.followerCount === 0)
  post('chat-c', 'nobody is there')
  await node.call(hash)
  expect(heard.slice(told).filter(({ event }) => event === 'message')).toEqual([])
})

test('what nobody signed reaches no program, whatever a core node says', async () => {
  const hash = await subscriber([{ type: 'POST', content: { type: 'chat-d' } }])
  await allocate({ on_demand_vms: [hash] })
  await eventually(() => node.core.followerCount > 0)
  const signed = node.core.messages.get(post('chat-e', 'other'))?.message
  const content = { address: node.core.owner.address, time: 1, type: 'chat-d', content: 'forged' }
  node.core.announce({ ...signed, item_content: JSON.stringify(content), content })
  node.core.announce({ ...signed, content })
  post('chat-d', 'real')
  await eventually(() => heard.length > 0)
  expect(posts()).toEqual(['real'])
})

test('a call from outside cannot pass for a message', async () => {
  const hash = await node.deploy(listening)
  await node.call(hash, '/.well-known/aleph/message', {
    method: 'POST',
    body: '{}',
    headers: { 'aleph-event': 'message' },
  })
  expect(heard).toEqual([{ url: '/.well-known/aleph/message', event: undefined, body: '{}' }])
})

test('a program that fails on a message is told of the next one', async () => {
  const failing: FakeProgram = (request, response) => {
    text(request).then((body) => {
      heard.push({ url: request.url, event: 'message', body })
      response.writeHead(500).end()
    })
  }
  const message = [{ type: 'POST', channel: 'TEST', content: { type: 'chat-f' } }]
  const hash = await node.deploy(failing, { extra: { on: { http: false, persistent: false, message } } })
  await allocate({ on_demand_vms: [hash] })
  await following('msgTypes=POST&channels=TEST')
  post('chat-f', 'one')
  post('chat-f', 'two')
  await eventually(() => heard.length === 2)
})
