import { once } from 'node:events'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { notify, publishInstance, richWorld } from './instance-message.ts'
import { eventually, TestNode } from './test-node.ts'

const nodeHash = 'cd'.repeat(32)
const records: Record<string, string> = {}
let node: TestNode
let hash: string

beforeAll(async () => {
  node = await TestNode.start({ environment: { ALEPH_VM_NODE_HASH: nodeHash }, records })
  richWorld(node)
  hash = publishInstance(node, nodeHash)
  expect(await notify(node, hash)).toMatchObject([200, { success: true }])
  await eventually(() => node.core.requests.some((path) => path.includes('port-forwarding%2Cdomains')))
})
afterAll(() => node[Symbol.asyncDispose]())

/** As an owner does it: the aggregate is there, and everybody who follows hears of it. */
function publishAggregate(key: string, content: object): void {
  node.core.aggregates.set(`${node.core.owner.address}/${key}`, content)
  node.core.publish('AGGREGATE', { key, content })
}

async function forwarded(port: number): Promise<boolean> {
  const list = (await (await fetch(`${node.url}/v2/about/executions/list`)).json()) as Record<
    string,
    { networking: { mapped_ports: Record<string, unknown> } }
  >
  return String(port) in (list[hash]?.networking.mapped_ports ?? {})
}

test('core nodes are asked for aggregates of the owners alone whose instances run here', () => {
  const asked = node.core.requests.find((path) => path.includes('port-forwarding%2Cdomains'))
  const query = new URL(asked ?? '', 'http://core').searchParams
  expect(Object.fromEntries(query)).toEqual({
    topics: 'message',
    msgTypes: 'AGGREGATE',
    contentKeys: 'port-forwarding,domains',
    owners: node.core.owner.address,
  })
})

test('a port that an owner asks for opens at once, and closes again', async () => {
  publishAggregate('port-forwarding', { [hash]: { ports: { '8080': { tcp: true, udp: false } } } })
  await eventually(() => forwarded(8080))
  publishAggregate('port-forwarding', { [hash]: { ports: {} } })
  await eventually(async () => !(await forwarded(8080)))
})

test('a domain that its owner gives to another VM shows it at once', async () => {
  const say = (words: string) => node.deploy((_request, response) => void response.end(words))
  records['_control.shop.example'] = node.core.owner.address
  const claim = async (words: string) => ({
    'shop.example': { message_id: await say(words), type: 'program' },
  })
  const page = async () => {
    const [response] = await once(request(node.url, { headers: { host: 'shop.example' } }).end(), 'response')
    return text(response)
  }
  publishAggregate('domains', await claim('old'))
  await eventually(async () => (await page()) === 'old')
  publishAggregate('domains', await claim('new'))
  await eventually(async () => (await page()) === 'new')
})
