import { devnetProfile, type Envelope, type NetworkProfile } from '@aleph-ts/protocol'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { inTransaction } from '../../src/database/pool.ts'
import { reviewAccounts } from '../../src/removal/review-accounts.ts'
import { GarbageCollector } from '../../src/storage/garbage-collector.ts'
import { DatabaseServer } from '../../src/testing/index.ts'
import { PipelineNode } from './pipeline-node.ts'
import { publisher } from './stories.ts'
import { address, allow, fileOf, forget, message, program, store } from './unsigned.ts'

const profile: NetworkProfile = {
  ...devnetProfile,
  addresses: { ...devnetProfile.addresses, credits: [publisher], balances: [publisher] },
  limits: { ...devnetProfile.limits, freeFileBytes: 0 },
}
const [owner, friend, other] = [1, 2, 3].map(address) as [string, string, string]
const start = 1_700_000_000

let databases: DatabaseServer
let node: PipelineNode
let copy: PipelineNode

beforeAll(async () => {
  databases = await DatabaseServer.start()
  node = new PipelineNode(await databases.create('node', { durable: false }), profile)
  copy = new PipelineNode(await databases.create('copy', { durable: false }), profile)
})
afterAll(async () => {
  await databases[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await node.wipe()
  await node.fund(owner, '1000')
})

/** Messages arrive one by one; the fate of each in the end. */
async function arrive(...messages: Envelope[]): Promise<string[]> {
  for (const each of messages) await node.take([each])
  return node.fates(messages)
}

function note(sender: string, of: string, at: number): Envelope {
  return message(sender, 'POST', { address: of, type: 'note', content: at, time: start + at })
}

function amendOf({ sender, item_hash }: Envelope, at: number): Envelope {
  return message(sender, 'POST', { type: 'amend', ref: item_hash, content: at, time: start + at })
}

function credit(type: string, content: unknown, at: number, sender = publisher): Envelope {
  return message(sender, 'POST', { type, content, time: start + at }, { channel: 'ALEPH_CREDIT' })
}

function grant(to: string, amount: number, at: number, expiration?: number): Envelope {
  const entry = { address: to, amount, price: '1', tx_hash: '0x', provider: 'WALLET', expiration }
  return credit('aleph_credit_distribution', { distribution: { credits: [entry] } }, at)
}

function charge(from: string, amount: number, at: number): Envelope {
  return credit('aleph_credit_expense', { expense: { credits: [{ address: from, amount }] } }, at)
}

function transfer(from: string, to: string, amount: number, at: number): Envelope {
  return credit('aleph_credit_transfer', { transfer: { credits: [{ address: to, amount }] } }, at, from)
}

/** Costs 107.8 credits a day. */
function paidFile(sender: string, at: number): Envelope {
  return store(sender, start + at, { payment: { type: 'credit', chain: 'ETH' } })
}

describe('copies of a message with another channel or time, which nobody signs', () => {
  it('are set right by the copy that a chain confirms first', async () => {
    await copy.wipe()
    const genuine = grant(other, 500, 1)
    const forged = { ...genuine, channel: 'ELSEWHERE', time: start + 99 }
    const text = note(owner, owner, 2)
    const moved = { ...text, channel: 'ELSEWHERE' }
    await node.take([genuine, text])
    await copy.take([forged, moved])
    for (const each of [node, copy]) {
      await each.confirm([
        { message: genuine, time: start + 200 },
        { message: moved, time: start + 200 },
        { message: { ...text, channel: 'LATER' }, time: start + 300 },
      ])
      await each.take([paidFile(other, 10)])
    }
    expect(await node.fates([genuine, paidFile(other, 10)])).toEqual(['processed', 'processed'])
    expect(await copy.digests()).toEqual(await node.digests())
    const { rows } = await node.pool.query('select channel, time from messages order by seq')
    expect(rows).toContainEqual({ channel: 'ELSEWHERE', time: text.time })
    expect(rows).toContainEqual({ channel: genuine.channel, time: genuine.time })
  })

  it('are set right while they still wait to be judged, too', async () => {
    const text = note(owner, owner, 2)
    await node.confirm([{ message: text, time: start + 200 }])
    await node.take([{ ...text, channel: 'ELSEWHERE', time: start + 99 }])
    const { rows } = await node.pool.query('select channel, time from messages')
    expect(rows).toEqual([{ channel: text.channel, time: text.time }])
  })
})

describe('a message whose first copy came without its content', () => {
  it('is taken from the copy that has it', async () => {
    const patient = new PipelineNode(node.pool, profile, { maxRetries: 3 })
    const text = note(owner, owner, 2)
    // Nobody signs the kind of content: this says that it is somewhere else, where it never will be.
    await patient.take([{ ...text, item_type: 'storage', item_content: null }])
    expect(await node.fates([text])).toEqual(['pending'])
    await patient.take([text])
    expect(await node.fates([text])).toEqual(['processed'])
  })
})

describe('what somebody may do for somebody else', () => {
  it('is decided by the rights at the time of the message', async () => {
    const [early, late] = [note(friend, owner, 5), note(friend, owner, 20)]
    const fates = await arrive(early, allow(owner, [friend], start + 10), late)
    expect(fates).toEqual(['rejected 2', 'processed', 'processed'])
  })

  it('ends with a revocation, also for messages that came before it did', async () => {
    const [kept, lost] = [note(friend, owner, 12), note(friend, owner, 25)]
    const fates = await arrive(allow(owner, [friend], start + 10), kept, lost, allow(owner, [], start + 20))
    expect(fates).toEqual(['processed', 'processed', 'rejected 2', 'processed'])
  })

  it('is given back when a grant arrives late', async () => {
    expect(await arrive(note(friend, owner, 20), allow(owner, [friend], start + 10))).toEqual([
      'processed',
      'processed',
    ])
  })

  it('is not taken by forgetting an old grant', async () => {
    const permission = allow(owner, [friend], start + 10)
    const post = note(friend, owner, 12)
    expect(await arrive(permission, post, forget(owner, [permission.item_hash], start + 15))).toEqual([
      'forgotten',
      'processed',
      'processed',
    ])
    expect(await arrive(note(friend, owner, 20))).toEqual(['rejected 2'])
  })

  it('follows the block that first carried a message when its own clock is wrong', async () => {
    const post = note(friend, owner, -200_000)
    await arrive(allow(owner, [friend], start + 10), post)
    expect(await node.fates([post])).toEqual(['rejected 2'])
    await node.confirm([{ message: post, time: start + 100_000 }])
    expect(await node.fates([post])).toEqual(['processed'])
    await node.unconfirm(start + 100_000)
    expect(await node.fates([post])).toEqual(['rejected 2'])
  })
})

describe('forgetting', () => {
  it('reaches a message that arrives afterwards, with its amends', async () => {
    const post = note(owner, owner, 1)
    const amend = amendOf(post, 2)
    expect(await arrive(forget(owner, [post.item_hash], start + 9), amend, post)).toEqual([
      'processed',
      'forgotten',
      'forgotten',
    ])
  })

  it('of what is forgotten already is noted down', async () => {
    const post = note(owner, owner, 1)
    const forgets = [forget(owner, [post.item_hash], start + 9), forget(owner, [post.item_hash], start + 5)]
    expect(await arrive(post, ...forgets)).toEqual(['forgotten', 'processed', 'processed'])
    const { rows } = await node.pool.query('select forgotten_by from forgotten_messages')
    expect(rows).toEqual([{ forgotten_by: [forgets[1]!.item_hash, forgets[0]!.item_hash] }])
  })

  it('of what was refused needs nothing more', async () => {
    const refused = note(friend, owner, 1)
    expect(await arrive(refused, forget(friend, [refused.item_hash], start + 9))).toEqual([
      'rejected 2',
      'processed',
    ])
  })

  it('is undone when the right to do it was revoked before', async () => {
    const post = note(owner, owner, 12)
    const fates = await arrive(
      allow(owner, [friend], start + 10),
      post,
      forget(friend, [post.item_hash], start + 30),
      allow(owner, [], start + 20),
    )
    expect(fates).toEqual(['processed', 'processed', 'rejected 2', 'processed'])
    const { rows } = await node.pool.query('select item_hash from posts')
    expect(rows).toEqual([{ item_hash: post.item_hash }])
  })

  it('takes aggregates by any key', async () => {
    const element = message(owner, 'AGGREGATE', { key: 'profile', content: { a: 1 }, time: start + 1 })
    expect(await arrive(element, forget(owner, [], start + 2, { aggregates: ['profile'] }))).toEqual([
      'forgotten',
      'processed',
    ])
  })

  it('of a file that a VM uses depends on which was first', async () => {
    const [code, runtime] = [store(owner, start + 1), store(owner, start + 2)]
    const vm = (at: number) =>
      program(owner, start + at, { code: code.item_hash, runtime: runtime.item_hash })
    const before = await arrive(code, runtime, forget(owner, [code.item_hash], start + 20), vm(10))
    expect(before).toEqual(['processed', 'processed', 'rejected 503', 'processed'])
    expect(await arrive(forget(owner, [runtime.item_hash], start + 5))).toEqual(['processed'])
    expect(await node.fates([code, runtime, vm(10)])).toEqual(['forgotten', 'forgotten', 'rejected 301'])
  })

  it('counts at once for what comes in the same batch', async () => {
    const patient = new PipelineNode(node.pool, profile, { maxRetries: 10 })
    const [code, runtime, paid] = [store(owner, start + 1), store(owner, start + 2), paidFile(friend, 3)]
    const vm = program(owner, start + 4, { code: code.item_hash, runtime: runtime.item_hash })
    const post = note(owner, owner, 5)
    const amend = amendOf(post, 20)
    // Enough for one file of a friend, and for no amend of a post that is gone.
    const batch = [grant(friend, 150, 1), code, runtime, paid, vm, post]
    const forgets = [paid, vm, post].map(({ item_hash, sender }) => forget(sender, [item_hash], start + 10))
    const after = [paidFile(friend, 30), forget(owner, [code.item_hash], start + 30)]
    await patient.take([...batch, ...forgets, ...after, amend])
    expect(await patient.fates([...forgets, ...after])).toEqual(Array(5).fill('processed'))
    expect(await patient.fates([code, paid, vm, post, amend])).toEqual([
      ...Array(4).fill('forgotten'),
      'rejected 101',
    ])
  })
})

describe('paying', () => {
  it('is decided by what the account had and owed at the time', async () => {
    const [first, second] = [paidFile(owner, 10), paidFile(owner, 20)]
    expect(await arrive(grant(owner, 150, 1), second, first)).toEqual([
      'processed',
      'rejected 6',
      'processed',
    ])
    expect(await arrive(grant(owner, 100, 15))).toEqual(['processed'])
    expect(await node.fates([first, second])).toEqual(['processed', 'processed'])
    expect(await arrive(charge(owner, 200, 5))).toEqual(['processed'])
    expect(await node.fates([first, second])).toEqual(['rejected 6', 'rejected 6'])
  })

  it('cannot be done with credits that expired', async () => {
    expect(await arrive(grant(owner, 500, 1, (start + 5) * 1000), paidFile(owner, 10))).toEqual([
      'processed',
      'rejected 6',
    ])
  })

  it('stands when a chain confirms a transfer long after it was sent', async () => {
    const gift = transfer(owner, friend, 100, 10)
    expect(await arrive(grant(owner, 100, 0), gift)).toEqual(['processed', 'processed'])
    await node.confirm([{ message: gift, time: start + 100_000 }])
    expect(await node.fates([gift])).toEqual(['processed'])
    await node.unconfirm(start + 100_000)
    expect(await node.fates([gift])).toEqual(['processed'])
  })

  it('happens once for one hour of one machine: the earlier bill counts, whichever arrives first', async () => {
    const bill = (amount: number, at: number) => {
      const entry = { address: owner, amount, execution_id: 'vm', ref: 'lease/0-3600/vm' }
      return credit('aleph_credit_expense', { expense: { credits: [entry] } }, at)
    }
    const left = async () => {
      const { rows } = await node.pool.query('select amount_remaining::int as left from credit_lots')
      return rows[0]?.left
    }
    const [early, late] = [bill(30, 10), bill(50, 20)]
    await arrive(grant(owner, 100, 0), late)
    expect(await left()).toBe(50)
    await arrive(early)
    expect(await left()).toBe(70)
    // What a forgotten bill took stays taken.
    await arrive(forget(publisher, [early.item_hash], start + 30))
    expect(await left()).toBe(70)
  })

  it('never makes credits: a transfer is refused when its sender had spent them before', async () => {
    const gift = transfer(owner, friend, 120, 10)
    expect(await arrive(grant(owner, 150, 1), gift, paidFile(friend, 20))).toEqual([
      'processed',
      'processed',
      'processed',
    ])
    expect(await arrive(charge(owner, 100, 5))).toEqual(['processed'])
    expect(await node.fates([gift, paidFile(friend, 20)])).toEqual(['rejected 0', 'rejected 6'])
    const { rows } = await node.pool.query('select address, amount_remaining::int as left from credit_lots')
    expect(rows).toEqual([{ address: owner, left: 50 }])
  })

  it('of reported balances goes by the greatest height, whatever came last', async () => {
    const report = (height: number, balance: number) =>
      message(publisher, 'POST', {
        type: 'balances-update',
        content: { chain: 'SOL', main_height: height, balances: { [other]: balance } },
        time: start + height,
      })
    const file = store(other, start + 50)
    expect(await arrive(file, report(2, 7), report(1, 0))).toEqual(['processed', 'processed', 'processed'])
    const { rows } = await node.pool.query(
      'select balance::int, eth_height::int as height from reported_balances',
    )
    expect(rows).toEqual([{ balance: 7, height: 2 }])
  })

  it('fails for good reasons that can be read', async () => {
    await arrive(paidFile(owner, 10))
    const { rows } = await node.pool.query('select details from rejected_messages')
    expect(rows[0].details.errors).toMatchObject([{ account_credits: '0', min_runtime_days: 1 }])
  })
})

describe('what is not paid for any more', () => {
  const now = new Date((start + 100_000) * 1000)
  const review = () => inTransaction(node.pool, (tx) => reviewAccounts(tx, 'credit', profile, now))
  const collect = async (at: Date) => {
    const removed: unknown[] = []
    const events = { emit: (_: string, batch: unknown[]) => removed.push(...batch) }
    const fileStore = { list: async function* () {} }
    const context = { pool: node.pool, events, fileStore, logger: undefined }
    await new GarbageCollector(context as never, { exclusively: (work) => work() }).collect(at.getTime())
    return removed
  }
  const confirmAll = (messages: Envelope[]) =>
    node.confirm(messages.map((each) => ({ message: each, time: Math.ceil(each.time) })))

  it('goes from the newest on, and comes back when it is paid again', async () => {
    const files = [paidFile(owner, 10), paidFile(owner, 20)]
    await arrive(grant(owner, 250, 1), ...files, charge(owner, 100, 30))
    await confirmAll(files)
    expect((await review()).removing).toMatchObject([{ item_hash: files[1]!.item_hash }])
    expect(await node.fates(files)).toEqual(['processed', 'removing'])
    expect((await review()).removing).toEqual([])
    await arrive(grant(owner, 100, 40))
    expect((await review()).recovered).toMatchObject([{ item_hash: files[1]!.item_hash }])
    expect(await node.fates(files)).toEqual(['processed', 'processed'])
    const { rows } = await node.pool.query('select type from file_pins')
    expect(rows).toEqual([{ type: 'message' }, { type: 'message' }])
  })

  it('goes when credits expire, though nobody wrote anything', async () => {
    const file = paidFile(owner, 10)
    await arrive(grant(owner, 250, 1, (start + 500) * 1000), file)
    await confirmAll([file])
    expect((await review()).removing).toHaveLength(1)
  })

  it('is removed when its time of grace is over, and frees the files it used', async () => {
    const [code, runtime] = [store(owner, start + 1), store(owner, start + 2)]
    const payment = { payment: { type: 'credit', chain: 'ETH' } }
    const vm = program(owner, start + 5, { code: code.item_hash, runtime: runtime.item_hash }, payment)
    await arrive(code, runtime, grant(owner, 1_000_000, 3), vm, charge(owner, 1_000_000, 30))
    await confirmAll([vm])
    expect((await review()).removing).toMatchObject([{ item_hash: vm.item_hash }])
    expect(await collect(now)).toMatchObject([{ item_hash: vm.item_hash }])
    expect(
      (await node.pool.query('select status from message_status where item_hash = $1', [vm.item_hash])).rows,
    ).toEqual([{ status: 'removed' }])
    const later = forget(owner, [code.item_hash, vm.item_hash], now.getTime() / 1000 + 5)
    expect(await arrive(later)).toEqual(['processed'])
    expect(await arrive(vm)).toEqual(['unknown'])
  })

  it('keeps an unpaid file for its time of grace', async () => {
    const file = paidFile(owner, 10)
    await arrive(grant(owner, 250, 1), file, charge(owner, 250, 30))
    await confirmAll([file])
    await review()
    expect(await collect(new Date())).toEqual([])
    expect(await collect(new Date(Date.now() + 26 * 3600_000))).toMatchObject([{ item_hash: file.item_hash }])
  })

  it('leaves no content of a forgotten message behind', async () => {
    const post = note(owner, owner, 1)
    await arrive(post, forget(owner, [post.item_hash], start + 2))
    await collect(new Date(Date.now() + 25 * 3600_000))
    const { rows } = await node.pool.query('select item_content, content from forgotten_messages')
    expect(rows).toEqual([{ item_content: null, content: null }])
  })
})

describe('a message that comes again', () => {
  it('is judged again when it was refused, and keeps the time it was first seen', async () => {
    const post = note(friend, owner, 20)
    await arrive(post)
    const first = (await node.pool.query('select reception_time from rejected_messages')).rows[0]
    await arrive(allow(owner, [friend], start + 10), post)
    expect(await node.fates([post])).toEqual(['processed'])
    const { rows } = await node.pool.query('select reception_time from messages where item_hash = $1', [
      post.item_hash,
    ])
    expect(rows).toEqual([first])
  })

  it('changes nothing, whatever its signature, when it is part of the state or forgotten', async () => {
    const [post, gone] = [note(owner, owner, 1), note(owner, owner, 2)]
    await arrive(post, gone, forget(owner, [gone.item_hash], start + 3))
    const before = await node.digests()
    await arrive({ ...post, signature: '0x01' }, { ...gone, signature: '0x01' }, post, gone)
    expect(await node.fates([post, gone])).toEqual(['processed', 'forgotten'])
    expect(await node.digests()).toEqual(before)
  })
})

it('a whole history, told again in any order to an empty node, makes the same state', async () => {
  const [code, runtime] = [store(owner, start + 1, { ref: 'site' }), store(owner, start + 2)]
  const vm = program(owner, start + 5, { code: code.item_hash, runtime: runtime.item_hash })
  const post = note(friend, owner, 12)
  const history = [
    allow(owner, [friend], start + 10),
    code,
    runtime,
    vm,
    post,
    message(owner, 'POST', { type: 'amend', ref: post.item_hash, content: 'better', time: start + 13 }),
    store(owner, start + 6, { ref: 'site', item_hash: fileOf(9) }),
    grant(owner, 500, 14),
    transfer(owner, friend, 300, 15),
    paidFile(friend, 16),
    charge(friend, 250, 17),
    forget(owner, [vm.item_hash], start + 18),
    forget(owner, [code.item_hash], start + 19),
    note(other, owner, 20),
    forget(friend, [post.item_hash], start + 21),
  ]
  await arrive(...history)
  const { rows } = await node.pool.query<{ envelope: Envelope }>(
    `select json_build_object('sender', sender, 'chain', chain, 'signature', signature, 'type', type,
       'item_type', item_type, 'item_hash', item_hash, 'item_content', item_content, 'time', time, 'channel', channel) as envelope
     from (
       select sender, chain, signature, type, item_type, item_hash, item_content, time, channel from messages
       union all
       select sender, chain, signature, type, item_type, item_hash, item_content, time, channel from forgotten_messages
     ) told order by item_hash desc`,
  )
  await copy.wipe()
  await copy.fund(owner, '1000')
  await copy.take(rows.map((row) => row.envelope))
  expect(await copy.digests()).toEqual(await node.digests())
})
