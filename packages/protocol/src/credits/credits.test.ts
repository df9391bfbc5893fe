import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFixture } from '../../test/fixtures.ts'
import { devnetProfile } from '../profile/devnet.ts'
import { mainnetProfile } from '../profile/mainnet.ts'
import type { CreditPost } from './apply-credit-post.ts'
import type { CreditLot } from './credit-entry.ts'
import { CreditLedger, creditParts } from './credit-ledger.ts'
import { readCreditPost } from './credit-post.ts'
import { replayCredits } from './replay-credits.ts'

interface Vector {
  id: string
  whitelist?: string[]
  events: {
    type: 'distribution' | 'expense' | 'transfer'
    time: number
    item_hash: string
    sender?: string
    credits: { address: string; amount: number; expiration?: number }[]
  }[]
  expected: {
    history: Record<string, unknown>[]
    lots: Record<string, unknown>[]
    checks: { at: number; balances: Record<string, number> }[]
  }
}

const { ledger: vectors } = readFixture<{ ledger: Vector[] }>('cost-vectors')
const foundation = mainnetProfile.addresses.credits[0]!
const [channel] = mainnetProfile.channels.credits

function post(
  kind: 'distribution' | 'expense' | 'transfer',
  itemHash: string,
  time: number,
  credits: object[],
  address = foundation,
  profile = mainnetProfile,
): CreditPost {
  const full = credits.map((credit) => ({ price: 1, tx_hash: '0x', provider: 'test', ...credit }))
  const fields = {
    address,
    channel: channel!,
    type: `aleph_credit_${kind}`,
    content: { [kind]: { credits: full } },
  }
  return { itemHash, address, time, operation: readCreditPost(fields, profile)! }
}

describe('the ledger of the network', () => {
  it.each(vectors)('$id', ({ events, whitelist = [], expected }) => {
    const profile = structuredClone(mainnetProfile)
    profile.addresses.credits.push(...whitelist)
    const posts = events.map(({ type, item_hash, time, credits, sender }) =>
      post(type, item_hash, time, credits, sender, profile),
    )
    const { entries, ledger } = replayCredits(posts, profile)
    const history = entries.map(({ ref, index, address, amount, expiration }) => ({
      credit_ref: ref,
      credit_index: index,
      address,
      amount: Number(amount),
      expiration,
    }))
    expect(history).toHaveLength(expected.history.length)
    expect(history).toEqual(expect.arrayContaining(expected.history))
    const lots = [...ledger.addresses()].flatMap((address) => ledger.lots(address)).map(shownLot)
    expect(lots).toHaveLength(expected.lots.length)
    expect(lots).toEqual(expect.arrayContaining(expected.lots))
    for (const { at, balances } of expected.checks) {
      for (const [address, balance] of Object.entries(balances)) {
        expect(Number(ledger.balance(address, at))).toBe(balance)
      }
    }
  })
})

function shownLot({ ref, index, address, remaining, expiration }: CreditLot) {
  return { credit_ref: ref, credit_index: index, address, amount_remaining: Number(remaining), expiration }
}

const now = 1_780_000_000

describe('a transfer', () => {
  const grant = post('distribution', 'g', now, [{ address: 'alice', amount: 100 }])
  const give = (amount: number, time = now + 1, to = 'bob') =>
    post('transfer', 'x', time, [{ address: to, amount }], 'alice')

  it('is refused when the sender has too little, and then nobody gets anything', () => {
    const { refused, ledger, entries } = replayCredits([give(101), grant], mainnetProfile)
    expect(refused.get('x')).toMatchObject({
      code: 'INVALID_FORMAT',
      message: 'Insufficient credit balance for transfer. Required: 101, Available: 100',
    })
    expect(entries).toHaveLength(1)
    expect(ledger.balance('bob', now + 9)).toBe(0n)
  })

  it('cannot spend what is granted later, nor make more of it by an old date', () => {
    expect(replayCredits([grant, give(1, now - 1)], mainnetProfile).refused.size).toBe(1)
    const old = mainnetProfile.cutoffs.creditPrecisionFrom! - 10
    const oldGrant = post('distribution', 'g', old, [{ address: 'alice', amount: 1 }])
    const { ledger, refused } = replayCredits([oldGrant, give(2, old + 1)], mainnetProfile)
    expect(refused.size).toBe(1)
    expect(ledger.balance('alice', now)).toBe(10_000n)
  })

  it('gives each recipient the next of what the sender has, with its expiration', () => {
    const soon = (now + 100) * 1000
    const lots = post('distribution', 'g', now, [
      { address: 'alice', amount: 70, expiration: soon },
      { address: 'alice', amount: 50 },
    ])
    const credits = ['bob', 'carol', 'dave'].map((address) => ({ address, amount: 40 }))
    const split = post('transfer', 'x', now + 1, credits, 'alice')
    const { ledger } = replayCredits([lots, split], mainnetProfile)
    expect(creditParts(ledger.lots('bob'), now + 1)).toEqual([{ expiration: soon, amount: 40n }])
    expect(creditParts(ledger.lots('carol'), now + 1)).toEqual([
      { expiration: null, amount: 10n },
      { expiration: soon, amount: 30n },
    ])
    expect(creditParts(ledger.lots('dave'), now + 1)).toEqual([{ expiration: null, amount: 40n }])
    expect(ledger.balance('alice', now + 1)).toBe(0n)
  })

  it('is refused to oneself, and twice to one recipient', () => {
    const twice = post(
      'transfer',
      'x',
      now + 1,
      [
        { address: 'bob', amount: 1 },
        { address: 'bob', amount: 1 },
      ],
      'alice',
    )
    expect([...replayCredits([grant, twice], mainnetProfile).refused.values()][0]!.message).toContain('twice')
    expect(
      [...replayCredits([grant, give(1, now + 1, 'alice')], mainnetProfile).refused.values()][0]!.message,
    ).toContain('sender')
  })
})

describe('a post about credits', () => {
  const fields = { address: foundation, channel: channel!, type: 'aleph_credit_transfer' }
  const transfer = (credit: object) => ({
    ...fields,
    content: { transfer: { credits: [{ address: 'bob', ...credit }] } },
  })

  it.each<[string, object]>([
    ['a negative amount', { amount: -1 }],
    ['no amount', {}],
    ['a fraction', { amount: 1.5 }],
    ['a boolean amount', { amount: true }],
    ['an amount as text', { amount: '5' }],
    ['an amount that no number holds exactly', { amount: 2 ** 53 }],
    ['a blank address', { amount: 1, address: ' ' }],
    ['an address that no node can index', { amount: 1, address: 'x'.repeat(513) }],
    ['an expiration in seconds', { amount: 1, expiration: 1_798_761_600 }],
  ])('with %s is refused as a whole', (_name, credit) => {
    expect(() => readCreditPost(transfer(credit), mainnetProfile)).toThrow(
      expect.objectContaining({ code: 'INVALID_FORMAT', details: expect.anything() }),
    )
  })

  it.each(['0x10', '0b1', ' 1', '1_0', '', 'NaN', true, null])('with the price %j is refused', (price) => {
    const credit = { address: 'bob', amount: 1, tx_hash: '', provider: '', price }
    const content = { distribution: { credits: [credit] } }
    expect(() =>
      readCreditPost({ ...fields, type: 'aleph_credit_distribution', content }, mainnetProfile),
    ).toThrow(/distribution\.credits\.0\.price: must be a decimal/)
  })

  it('is taken whatever its bonus says, which is only told', () => {
    const bonuses = [7, '7.5', 'much', {}, null].map((bonus_amount, index) => ({
      address: `a${index}`,
      amount: 1,
      bonus_amount,
    }))
    const { entries } = replayCredits([post('distribution', 'd', now, bonuses)], mainnetProfile)
    expect(entries.map(({ facts }) => facts.bonusAmount)).toEqual([7, 7.5, undefined, undefined, undefined])
  })

  it('without credits is refused, with the place', () => {
    const empty = { ...fields, content: { transfer: { credits: [] } } }
    expect(() => readCreditPost(empty, mainnetProfile)).toThrow('transfer.credits')
  })

  it('is an ordinary post on another channel, of another type, or of an address nobody asked', () => {
    const content = { distribution: { credits: [] } }
    expect(readCreditPost({ ...fields, channel: 'other', content }, mainnetProfile)).toBeNull()
    expect(readCreditPost({ ...fields, type: 'note', content }, mainnetProfile)).toBeNull()
    const stranger = { ...fields, address: '0x1', type: 'aleph_credit_distribution', content }
    expect(readCreditPost(stranger, mainnetProfile)).toBeNull()
  })
})

describe('posts of one block', () => {
  it('follow each other as their senders wrote them, not as their hashes fall', () => {
    const step = (hash: string, from: string, to: string, contentTime: number) => ({
      ...post('transfer', hash, now + 50, [{ address: to, amount: 10 }], from),
      contentTime,
    })
    const grant = post('distribution', 'g', now, [{ address: 'alice', amount: 10 }])
    const chain = [step('a', 'bob', 'carol', now + 62), step('z', 'alice', 'bob', now + 61)]
    const { refused, ledger } = replayCredits([...chain, grant], mainnetProfile)
    expect(refused.size).toBe(0)
    expect(ledger.balance('carol', now + 50)).toBe(10n)
  })

  it('count once, however many copies arrive', () => {
    const grant = post('distribution', 'g', now, [{ address: 'alice', amount: 10 }])
    expect(replayCredits([grant, { ...grant }], mainnetProfile).ledger.balance('alice', now)).toBe(10n)
  })
})

it('a lot that was granted late but is older is spent first, though newer ones were used up', () => {
  const lot = (ref: string, time: number): CreditLot => ({
    ref,
    index: 0,
    address: 'alice',
    remaining: 5n,
    time,
    expiration: null,
  })
  const ledger = CreditLedger.of([lot('b', now), lot('c', now + 1)])
  ledger.drain('alice', 5n, now + 2)
  ledger.grant({
    ref: 'a',
    index: 0,
    address: 'alice',
    amount: 5n,
    time: now - 1,
    expiration: null,
    facts: {},
  })
  ledger.drain('alice', 6n, now + 2)
  expect(ledger.lots('alice').map(({ ref, remaining }) => [ref, remaining])).toEqual([
    ['a', 0n],
    ['b', 0n],
    ['c', 4n],
  ])
})

it('a balance is told by expiration: what stays first, then what goes soonest', () => {
  const soon = (now + 10) * 1000
  const credits = [
    { address: 'a', amount: 1, expiration: soon * 2 },
    { address: 'a', amount: 2 },
    { address: 'a', amount: 3, expiration: soon },
  ]
  const { ledger } = replayCredits([post('distribution', 'd', now, credits)], mainnetProfile)
  expect(creditParts(ledger.lots('a'), now)).toEqual([
    { expiration: null, amount: 2n },
    { expiration: soon, amount: 3n },
    { expiration: soon * 2, amount: 1n },
  ])
  expect(creditParts(ledger.lots('a'), now + 10)).toHaveLength(2)
})

describe('whatever happens', () => {
  const minter = devnetProfile.addresses.credits[0]!
  const people = fc.constantFrom('alice', 'bob', 'carol', 'dave')
  const time = fc.integer({ min: 1_000_000, max: 1_000_030 })
  const credit = fc.record({
    address: people,
    amount: fc.integer({ min: 1, max: 100 }),
    expiration: fc.option(fc.integer({ min: 1_000_000, max: 1_000_040 }).map((at) => at * 1_000_000)),
  })
  const event = fc.record({
    kind: fc.constantFrom('distribution' as const, 'expense' as const, 'transfer' as const),
    sender: people,
    time,
    credits: fc.uniqueArray(credit, { minLength: 1, maxLength: 3, selector: ({ address }) => address }),
  })
  const history = fc.array(event, { maxLength: 30 }).map((events) =>
    events.map(({ kind, sender, time, credits }, index) => {
      const from = kind === 'transfer' ? sender : minter
      return post(kind, `post-${index}`, time * 1000, credits, from, devnetProfile)
    }),
  )

  it('arrival order does not matter, nor in how many parts the past is replayed', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), fc.nat(30), (posts, keys, cut) => {
        const shuffled = posts
          .map((post) => ({ post, key: keys.next().value }))
          .sort((a, b) => a.key - b.key)
          .map(({ post }) => post)
        const whole = replayCredits(posts, devnetProfile)
        expect(stateOf(replayCredits(shuffled, devnetProfile))).toEqual(stateOf(whole))
        const sorted = [...posts].sort((a, b) => a.time - b.time || (a.itemHash < b.itemHash ? -1 : 1))
        const first = replayCredits(sorted.slice(0, cut), devnetProfile)
        const second = replayCredits(sorted.slice(cut), devnetProfile, first.ledger)
        expect(stateOf(second).lots).toEqual(stateOf(whole).lots)
      }),
    )
  })

  it('the history of an account alone makes its lots again', () => {
    fc.assert(
      fc.property(history, (posts) => {
        const { entries, ledger } = replayCredits(posts, devnetProfile)
        const again = new CreditLedger()
        for (const entry of entries) {
          if (entry.amount > 0n) again.grant(entry)
          else again.drain(entry.address, -entry.amount, entry.time)
        }
        for (const address of ledger.addresses()) expect(again.lots(address)).toEqual(ledger.lots(address))
      }),
    )
  })

  it('no account goes below nothing, and no transfer makes credits', () => {
    fc.assert(
      fc.property(history, (posts) => {
        const { entries, ledger } = replayCredits(posts, devnetProfile)
        const granted = entries.filter(({ facts }) => facts.paymentMethod === undefined)
        const total = granted.reduce((sum, { amount }) => sum + amount, 0n)
        const lots = [...ledger.addresses()].flatMap((address) => ledger.lots(address))
        expect(lots.every(({ remaining }) => remaining >= 0n)).toBe(true)
        expect(lots.reduce((sum, { remaining }) => sum + remaining, 0n) <= total).toBe(true)
        const moved = entries.filter(({ facts }) => facts.paymentMethod === 'credit_transfer')
        expect(moved.reduce((sum, { amount }) => sum + amount, 0n)).toBe(0n)
      }),
    )
  })

  function stateOf({ entries, ledger, refused }: ReturnType<typeof replayCredits>) {
    const lots = [...ledger.addresses()].sort().flatMap((address) => ledger.lots(address))
    return { entries, lots, refused: [...refused.keys()] }
  }
})
