import type { Envelope } from '@aleph-ts/protocol'
import fc from 'fast-check'
import { address, allow, fileOf, forget, instance, message, program, store, vProgram } from './unsigned.ts'

const people = [1, 2, 3].map(address)
const start = 1_700_000_000

/** Who publishes credits and balances in these stories. */
export const publisher = address(9)

/** Credits that carry a V-PROGRAM, or two instances, for a day. */
const dayOfVm = 700_000

/** What somebody does next; `about` picks what it is about among the messages before. */
interface Deed {
  kind:
    | 'post'
    | 'amend'
    | 'aggregate'
    | 'allow'
    | 'disallow'
    | 'store'
    | 'revise'
    | 'program'
    | 'replace'
    | 'instance'
    | 'v-program'
    | 'forget'
    | 'forget aggregate'
    | 'grant'
    | 'endow'
    | 'charge'
    | 'transfer'
    | 'report'
  sender: number
  /** For whom; the sender itself when null. */
  owner: number | null
  time: number
  about: number
  other: number
}

const deed: fc.Arbitrary<Deed> = fc.record({
  kind: fc.constantFrom(
    'post',
    'amend',
    'aggregate',
    'allow',
    'disallow',
    'store',
    'store',
    'revise',
    'program',
    'program',
    'replace',
    'instance',
    'instance',
    'v-program',
    'forget',
    'forget',
    'forget aggregate',
    'grant',
    'grant',
    'endow',
    'charge',
    'transfer',
    'transfer',
    'report',
  ),
  sender: fc.nat(2),
  owner: fc.option(fc.nat(2), { freq: 1 }),
  time: fc.nat(30),
  about: fc.nat(),
  other: fc.nat(),
})

/** What there is to work with in most stories; each piece may be missing, and may arrive last. */
const openings: Envelope[] = [
  ...people.map((person, index) => store(person, start + index / 100, { item_hash: fileOf(index + 1) })),
  endow(people[0]!, start),
  endow(people[1]!, start + 1),
  allow(people[0]!, [people[1]!], start),
  allow(people[2]!, people, start + 2),
]

/** What three people do to each other's things, with clocks that do not agree. */
export const story: fc.Arbitrary<Envelope[]> = fc
  .tuple(fc.subarray(openings, { minLength: 3 }), fc.array(deed, { minLength: 4, maxLength: 24 }))
  .map(([opening, deeds]) => {
    const messages = [...opening]
    for (const [index, deed] of deeds.entries()) messages.push(perform(deed, index + 1, messages))
    return [...new Map(messages.map((each) => [each.item_hash, each])).values()]
  })

function perform(deed: Deed, index: number, before: Envelope[]): Envelope {
  const sender = people[deed.sender]!
  const owner = people[deed.owner ?? deed.sender]!
  const time = start + deed.time + index / 1000
  const pick = (kind: string, n: number): string => {
    const fitting = before.filter((each) => each.type === kind && each.sender !== publisher)
    return fitting.length > 0 ? fitting[n % fitting.length]!.item_hash : fileOf(1)
  }
  const kib = (deed.other % 5) * 40
  switch (deed.kind) {
    case 'post':
      return message(sender, 'POST', {
        address: owner,
        type: 'note',
        content: { v: index, tags: [`t${index % 3}`] },
        time,
      })
    case 'amend':
      return message(sender, 'POST', {
        address: owner,
        type: 'amend',
        ref: pick('POST', deed.about),
        content: { v: index, ...(index % 2 && { tags: [`t${index % 3}`] }) },
        time,
      })
    case 'aggregate':
      return message(sender, 'AGGREGATE', {
        address: owner,
        key: 'k',
        content: { [`f${deed.other % 3}`]: index },
        time: start + deed.time,
      })
    case 'allow':
      return allow(sender, [owner, people[deed.other % 3]!], time)
    case 'disallow':
      return allow(sender, [], time)
    case 'store':
      return store(sender, time, { address: owner, item_hash: fileOf(kib + 1), ...payment(deed) })
    case 'revise':
      return store(sender, time, {
        address: owner,
        item_hash: fileOf(kib + 2),
        ref: deed.other % 4 === 0 ? 'site' : pick('STORE', deed.about),
      })
    case 'program':
    case 'replace':
      return program(
        sender,
        time,
        {
          code: pick('STORE', deed.about),
          runtime: pick('STORE', deed.other),
          use_latest: deed.other % 2 === 0,
        },
        {
          address: owner,
          allow_amend: deed.other % 3 > 0,
          ...(deed.kind === 'replace' ? { replaces: pick('PROGRAM', deed.about) } : {}),
        },
      )
    case 'instance':
      return instance(sender, time, pick('STORE', deed.about), {
        address: owner,
        allow_amend: deed.other % 2 > 0,
        ...(deed.other % 3 === 0 ? { replaces: pick('INSTANCE', deed.about) } : {}),
        ...payment(deed),
      })
    case 'v-program':
      return vProgram(owner, time, {
        runtime: pick('STORE', deed.about),
        workload: pick('STORE', deed.other),
      })
    case 'forget': {
      const target = before[deed.about % Math.max(1, before.length)]?.item_hash ?? fileOf(1)
      const another = before[deed.other % Math.max(1, before.length)]?.item_hash ?? fileOf(1)
      return forget(sender, deed.other % 3 === 0 ? [target, another] : [target], time, { address: owner })
    }
    case 'grant': {
      const credit = { address: owner, price: '1', tx_hash: '0x', provider: 'WALLET', ...credits(deed) }
      return ledgerPost('aleph_credit_distribution', { distribution: { credits: [credit] } }, publisher, time)
    }
    case 'endow':
      return endow(owner, time)
    case 'charge': {
      // Some bill an hour of a machine that others bill as well.
      const lease = deed.about % 2 === 0 ? { ref: `lease/0-3600/${deed.about % 4}` } : {}
      const credit = { address: owner, amount: 20 + (deed.other % 7) * 30, ...lease }
      return ledgerPost('aleph_credit_expense', { expense: { credits: [credit] } }, publisher, time)
    }
    case 'transfer': {
      const other = people[(deed.sender + 1 + (deed.other % 2)) % 3]!
      const credit = { address: other, ...credits(deed) }
      return ledgerPost('aleph_credit_transfer', { transfer: { credits: [credit] } }, sender, time)
    }
    case 'report': {
      // What an account holds is what a node knows now, not what it knew then: it only grows in these stories.
      const height = deed.about % 5
      const content = { chain: 'SOL', main_height: height, balances: { [owner]: height / 100 } }
      return message(publisher, 'POST', { type: 'balances-update', content, time })
    }
    case 'forget aggregate':
      return forget(sender, [], time, {
        address: owner,
        aggregates: [deed.other % 3 === 0 ? 'security' : 'k'],
      })
  }
}

function endow(owner: string, time: number): Envelope {
  const credit = { address: owner, price: '1', tx_hash: '0x', provider: 'WALLET', amount: dayOfVm }
  return ledgerPost('aleph_credit_distribution', { distribution: { credits: [credit] } }, publisher, time)
}

function ledgerPost(type: string, content: unknown, sender: string, time: number): Envelope {
  return message(sender, 'POST', { type, content, time }, { channel: 'ALEPH_CREDIT' })
}

/** Some of these expire during the story. */
function credits(deed: Deed): { amount: number; expiration?: number } {
  const amount = 40 + (deed.other % 7) * 40
  return deed.other % 2 === 0 ? { amount } : { amount, expiration: (start + 5 + (deed.about % 25)) * 1000 }
}

function payment(deed: Deed): Record<string, unknown> {
  return deed.other % 2 === 0 ? { payment: { type: 'credit', chain: 'ETH' } } : {}
}

/** A story in short, to read a counterexample by: messages are numbered, and arrive in the order of `shuffled`. */
export function summary(telling: {
  messages: Envelope[]
  shuffled: Envelope[]
  burst: number
  batch: number
  confirmed: Map<Envelope, number>
  confirmedAfter: number
}): string {
  const { messages, shuffled, burst, batch, confirmed, confirmedAfter } = telling
  const short = (value: string) => {
    const index = messages.findIndex((each) => each.item_hash === value)
    return index >= 0 ? `#${index}` : value.replace(/^0x0+/, '@').replace(/^f{8}0*/, 'file ')
  }
  const lines = messages.map((each, index) => {
    const text = each.item_content!.replace(/[0-9a-fx]{42,}/g, short)
    return `#${index} ${each.type} by ${short(each.sender)} ${each.item_hash.slice(0, 4)} ${text}`
  })
  const order = shuffled.map((each) => short(each.item_hash)).join(' ')
  const chain = [...confirmed].map(([each, delay]) => `${short(each.item_hash)} ${delay}`).join(', ')
  lines.push(`confirmed after ${confirmedAfter}: ${chain}`)
  return ['', ...lines, `order ${order}, bursts of ${burst}, batches of ${batch}`].join('\n')
}
