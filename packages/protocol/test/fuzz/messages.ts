import { readFileSync } from 'node:fs'
import { itemHash } from '../../src/index.ts'
import { mutateJson, mutateText, oddJson } from './mutations.ts'
import { Random } from './random.ts'

export type RawMessage = Record<string, unknown>

/** Credits and other posts whose content means something. */
const specialPosts: [type: string, content: unknown][] = [
  [
    'aleph_credit_distribution',
    { distribution: { credits: [{ address: 'a', amount: '5', expiration: 1e12 }] } },
  ],
  ['aleph_credit_expense', { expense: { credits: [{ address: 'a', amount: 1, ref: 'b', node_id: 'c' }] } }],
  ['aleph_credit_transfer', { transfer: { credits: [{ address: 'a', amount: '1' }] } }],
  ['balances-update', { tags: ['mainnet'], main_height: 1, dapp: 'x', chain: 'ETH', balances: { a: 1.5 } }],
]

/** Messages of every type and chain, most of them valid, from the fixtures and made here. */
export function seedMessages(): RawMessage[] {
  const path = new URL('../../../../fixtures/signed-messages.json', import.meta.url)
  const fixtures = JSON.parse(readFileSync(path, 'utf8')) as { message: RawMessage }[]
  const seeds = fixtures.map(({ message }) => message)
  const model = seeds.find(({ type, item_type }) => type === 'POST' && item_type === 'inline')!
  const posts = specialPosts.map(([type, content]) => {
    const text = JSON.stringify({ address: model.sender, time: 1_700_000_000, type, content })
    return { ...model, item_content: text, item_hash: itemHash(text) }
  })
  // Some clients send this signature as an object.
  const solana = seeds.filter(({ chain, signature }) => chain === 'SOL' && String(signature).startsWith('{'))
  const objects = solana.map((message) => ({ ...message, signature: JSON.parse(String(message.signature)) }))
  return [...seeds, ...posts, ...objects]
}

/**
 * Messages damaged in one to three ways, without end and always the same for the same seed. Half of the damaged
 * contents keep a right `item_hash`, so that what lies behind that check is reached too.
 */
export function* damagedMessages(seed: number): Generator<unknown> {
  const random = new Random(seed)
  const seeds = seedMessages()
  for (;;) {
    let message: unknown = random.of(seeds)
    for (let times = 1 + random.below(3); times > 0; times--) message = damaged(random, message)
    yield message
  }
}

function damaged(random: Random, message: unknown): unknown {
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    return mutateJson(random, message)
  const fields = message as RawMessage
  const choice = random.next()
  if (choice < 0.3) return mutateJson(random, fields)
  if (choice < 0.5 && typeof fields.signature === 'string') {
    return { ...fields, signature: damagedText(random, fields.signature) }
  }
  if (choice < 0.55) {
    const field = random.of(['sender', 'item_hash', 'channel', 'chain', 'type'])
    const value = fields[field]
    return { ...fields, [field]: mutateText(random, typeof value === 'string' ? value : '') }
  }
  if (typeof fields.item_content !== 'string') return mutateJson(random, fields)
  const text = damagedText(random, fields.item_content)
  const hash = random.next() < 0.5 ? { item_hash: itemHash(text) } : {}
  return { ...fields, item_content: text, ...hash }
}

/** JSON text damaged by its values or by its characters; other text by its characters. */
function damagedText(random: Random, text: string): string {
  const choice = random.next()
  if (choice < 0.2) return mutateText(random, text)
  if (choice < 0.4) return oddJson(random, text)
  try {
    return JSON.stringify(mutateJson(random, JSON.parse(text))) ?? ''
  } catch {
    return mutateText(random, text)
  }
}
