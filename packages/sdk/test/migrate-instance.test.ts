import { expect, it } from 'vitest'
import { AlephClient, EthereumAccount, type MigrationStep } from '../src/index.ts'
import { FakeNode, inTurn, json } from './fake-node.ts'

const account = EthereumAccount.fromPrivateKey('44'.repeat(32))
const vmHash = 'ef'.repeat(32)
const route = `GET /scheduler/api/v1/vms/${vmHash}`

/** A VM on `old`; what the network says of the other node. */
const explanation = (reason: string | null, coreNode = 'core') =>
  json(200, {
    allocated_node: 'old',
    nodes: [
      { node_hash: 'old', core_node: 'core', reason: null },
      { node_hash: 'new', core_node: coreNode, reason },
    ],
  })
const place = (node: string, status: string) => json(200, { allocated_node: node, status })
const accepted = json(200, { message_status: 'processed', publication_status: { status: 'success' } })

function wishes(node: FakeNode): unknown[] {
  return node.seen
    .filter(({ method }) => method === 'POST')
    .map(({ body }) => JSON.parse(JSON.parse(String(body)).message.item_content).content[vmHash])
}

it('asks the network for the move and follows it to its end', async () => {
  await using node = await FakeNode.create({
    [`${route}/explanation`]: explanation(null),
    [route]: inTurn(
      place('old', 'dispatched'),
      place('old', 'migrating'),
      place('new', 'scheduled'),
      place('new', 'dispatched'),
    ),
    'POST /api/v0/messages': accepted,
  })
  const steps: MigrationStep[] = []
  const client = new AlephClient({ apiUrl: node.url, account })
  const moved = await client.migrateInstance({ vmHash, to: 'new', onStep: (step) => steps.push(step) })
  expect(moved).toEqual({ vmHash, from: 'old', to: 'new' })
  expect(steps).toEqual(['asked', 'moving', 'arrived'])
  expect(wishes(node)).toEqual(['new'])
})

it('believes another core node that the instance has arrived', async () => {
  await using node = await FakeNode.create({
    [`${route}/explanation`]: explanation(null, 'other'),
    [route]: inTurn(place('old', 'dispatched'), place('new', 'scheduled')),
    'POST /api/v0/messages': accepted,
  })
  const client = new AlephClient({ apiUrl: node.url, account })
  expect(await client.migrateInstance({ vmHash, to: 'new' })).toMatchObject({ to: 'new' })
})

it.each([
  ['a node that does not take it', explanation('insufficient_capacity'), 'new', 'conflict'],
  ['a node that nobody knows', explanation(null), 'unknown', 'invalid_argument'],
  ['an instance without a place', json(200, { allocated_node: null, nodes: [] }), 'new', 'not_allocated'],
])('asks nobody to move to %s', async (_what, answer, to, code) => {
  await using node = await FakeNode.create({ [`${route}/explanation`]: answer })
  const client = new AlephClient({ apiUrl: node.url, account })
  await expect(client.migrateInstance({ vmHash, to })).rejects.toMatchObject({ code })
  expect(wishes(node)).toEqual([])
})

it('takes the wish back when the node refuses after all', async () => {
  await using node = await FakeNode.create({
    [`${route}/explanation`]: inTurn(explanation(null), explanation('unsupported')),
    [route]: place('old', 'dispatched'),
    'POST /api/v0/messages': accepted,
  })
  const client = new AlephClient({ apiUrl: node.url, account })
  await expect(client.migrateInstance({ vmHash, to: 'new' })).rejects.toMatchObject({ code: 'conflict' })
  expect(wishes(node)).toEqual(['new', null])
})
