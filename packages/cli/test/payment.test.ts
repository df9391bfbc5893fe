import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeNetwork } from './fake-network.ts'
import { type CliResult, CliUser } from './run-cli.ts'

const env = { ALEPH_PRIVATE_KEY: `0x${'11'.repeat(32)}` }
const hash = 'ab'.repeat(32)

let network: FakeNetwork
let user: CliUser

beforeAll(async () => {
  network = await FakeNetwork.create()
  user = await CliUser.create()
})
afterAll(async () => {
  await user[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
})

function payment(...args: string[]): Promise<CliResult> {
  return user.run(['payment', ...args, '--network', network.url, '--json'], { env })
}

function cost(fields: Record<string, unknown>) {
  const none = { cost_hold: '0', cost_stream: '0', cost_credit: '0', consumed_credits: 0 }
  return { item_hash: hash, payment_type: 'hold', ...none, ...fields }
}

test('what is paid for is listed by the way it is paid, in units people think in', async () => {
  network.costs = {
    hold: [cost({ cost_hold: '1000' })],
    superfluid: [cost({ cost_stream: '0.000015277777777777' })],
    credit: [cost({ cost_credit: '3.5', consumed_credits: 42 })],
  }
  expect((await payment('list')).json()).toMatchObject({
    hold: { total: '1000', resources: [{ itemHash: hash, cost: '1000' }] },
    stream: { total_per_hour: '0.0549999999999972' },
    credit: { total_per_day: '302400', resources: [{ consumedCredits: 42 }] },
  })
  const text = await user.run(['payment', 'list', '--network', network.url], { env })
  expect(text.stdout).toContain('302400 credits a day, 42 so far')
})

test('the balance says for how long credits last, and nothing where nothing is spent', async () => {
  network.costs = { credit: [cost({ cost_credit: '1' })] }
  expect((await payment('balance')).json()).toMatchObject({ credits_per_day: '86400', days_of_credits: 0 })
  network.costs = {}
  expect((await payment('balance')).json()).toMatchObject({ credits_per_day: '0', days_of_credits: null })
})

test.each([
  ['no credits can be bought where no contract is known', ['buy', '1'], 4, 'no_credit_sale'],
  ['an amount that is none', ['buy', 'much'], 2, 'usage'],
  ['a stream for what nobody knows', ['stream', 'open', hash], 4, 'not_found'],
])('%s is told with its own exit code', async (_, args, code, error) => {
  const result = await payment(...args)
  expect([result.code, result.json<{ error: { code: string } }>().error.code]).toEqual([code, error])
})
