import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AlephClient, ComputeNodeClient } from '../src/index.ts'
import { type Answer, FakeNode, json } from './fake-node.ts'

interface Example {
  id: string
  request: { method: string; path: string }
  response: { status: number; json?: unknown; text?: string }
}

const { examples } = fixture<{ examples: Example[] }>('api-examples.json')
const objects = fixture<{
  scheduler: { v0_allocation: { vm_hash: string; node: { node_id: string; url: string } } }
  crn: { usage_system: { value: { cpu: { count: number } } }; executions_list_v2: { value: object } }
}>('network-objects.json')

function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url), 'utf8')) as T
}

/** Which call of ours an example of the API answers. */
function callOf(example: Example): ((client: AlephClient) => Promise<unknown>) | undefined {
  const { method, path } = example.request
  const [, , , resource, name = '', last] = path.split('/')
  if (method !== 'GET') return undefined
  if (path === '/api/v0/version') return (client) => client.getNodeVersion()
  // Forgotten messages are listed in a shape of their own, for billing, that we do not ask for.
  if (path === '/api/v0/messages.json' && !example.id.includes('forgotten'))
    return (client) => client.listMessages()
  if (resource === 'messages' && last === 'status') return (client) => client.getMessageStatus(name)
  if (resource === 'messages' && last === undefined && /^\w+$/.test(name) && name !== 'page') {
    return (client) => client.getMessage(name)
  }
  if (resource === 'aggregates' && !example.id.includes('value-only')) {
    return (client) => client.getAggregates(name.replace('.json', ''))
  }
  if (resource === 'addresses' && last === 'balance') return (client) => client.getBalance(name)
  if (path.startsWith('/api/v0/storage/by-message-hash/'))
    return (client) => client.findFile(path.split('/').at(-1)!)
  return undefined
}

describe('answers of the production network', () => {
  for (const example of examples.filter((each) => callOf(each) && each.response.status === 200)) {
    it(`are understood: ${example.id}`, async () => {
      await using node = await FakeNode.create({ 'GET /': json(200, example.response.json) })
      await expect(callOf(example)!(new AlephClient({ apiUrl: node.url }))).resolves.toBeDefined()
    })
  }

  for (const example of examples.filter(
    (each) => callOf(each) && [400, 422].includes(each.response.status),
  )) {
    it(`become errors that tell the reason: ${example.id}`, async () => {
      const { status, text } = example.response
      const answer: Answer = text === undefined ? json(status, example.response.json) : plain(status, text)
      await using node = await FakeNode.create({ 'GET /': answer })
      const failing = callOf(example)!(new AlephClient({ apiUrl: node.url }))
      await expect(failing).rejects.toMatchObject({ code: 'bad_request', status })
    })
  }

  it('tell which node a VM was given to', async () => {
    const { v0_allocation: allocation } = objects.scheduler
    await using node = await FakeNode.create({ 'GET /api/v0/allocation/': json(200, allocation) })
    expect(await new AlephClient({ apiUrl: node.url }).getAllocation(allocation.vm_hash)).toMatchObject({
      vmHash: allocation.vm_hash,
      computeNode: { hash: allocation.node.node_id, url: allocation.node.url },
    })
  })

  it('tell what a compute node has and runs', async () => {
    await using node = await FakeNode.create({
      'GET /about/usage/system': json(200, objects.crn.usage_system.value),
      'GET /v2/about/executions/list': json(200, objects.crn.executions_list_v2.value),
    })
    const client = new ComputeNodeClient(node.url)
    expect((await client.getUsage()).cpu.count).toBe(objects.crn.usage_system.value.cpu.count)
    expect(Object.keys(await client.listExecutions())).toEqual(
      Object.keys(objects.crn.executions_list_v2.value),
    )
  })
})

function plain(status: number, text: string): Answer {
  return (_request, response) => void response.writeHead(status, { 'content-type': 'text/plain' }).end(text)
}
