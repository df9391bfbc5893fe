import type { ProgramContent } from '@aleph-ts/protocol'
import { expect, test } from 'vitest'
import { AgentError } from '../errors.ts'
import { Subscriptions } from './subscriptions.ts'

/** Programs of a plan, by name: what they want of messages, or why nobody can tell. */
async function subscriptions(programs: Record<string, object[] | AgentError>) {
  const asked: string[] = []
  const self = new Subscriptions({
    planned: () => Object.keys(programs),
    async content(hash) {
      asked.push(hash)
      const wanted = programs[hash]
      if (wanted instanceof AgentError) throw wanted
      return { on: { message: wanted } } as unknown as ProgramContent
    },
  })
  await self.refresh()
  return { self, asked }
}

test('core nodes are asked for what all programs want together, and no more where that can be said', async () => {
  const { self } = await subscriptions({
    one: [{ type: 'POST', channel: 'CHAT', sender: '0xa' }],
    two: [{ type: 'STORE', channel: 'FILES' }],
  })
  expect(self.query()).toEqual({ msgTypes: 'POST,STORE', channels: 'CHAT,FILES' })
})

test('what one program wants of everything, or names oddly, is asked for without that filter', async () => {
  const { self } = await subscriptions({ one: [{ type: 'POST', channel: 'A,B' }], two: [{ channel: null }] })
  expect(self.query()).toEqual({})
})

test('what no message can be does not keep the others from theirs', async () => {
  const { self } = await subscriptions({
    one: [{ type: 'NOTHING' }, { chain: 'MOON' }, { type: ['POST'] }],
    two: [{ type: 'POST' }],
  })
  expect(self.query()).toEqual({ msgTypes: 'POST' })
})

test('nothing is asked for where nobody wants anything', async () => {
  expect((await subscriptions({ one: [] })).self.query()).toBeNull()
})

test('a message is for every program that wants it, once each', async () => {
  const { self } = await subscriptions({
    one: [{ type: 'POST' }, { sender: '0xa' }],
    two: [{ type: 'POST', sender: '0xb' }],
    three: [{}],
  })
  expect(self.matching({ type: 'POST', sender: '0xa' })).toEqual(['one', 'three'])
})

test('what cannot be read now is read later, and what is no program never again', async () => {
  const { self, asked } = await subscriptions({
    later: new AgentError('core_nodes_unreachable', 'away'),
    instance: new AgentError('not_a_program', 'an instance'),
    read: [{}],
  })
  await self.refresh()
  expect(asked).toEqual(['later', 'instance', 'read', 'later'])
})
