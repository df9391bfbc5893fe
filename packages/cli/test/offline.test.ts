import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeNetwork } from './fake-network.ts'
import { CliUser } from './run-cli.ts'

interface Fixture {
  id: string
  expect: string
  reason?: string
  message: { item_hash: string }
}

/** Nothing answers here: what these commands do must not need a network. */
const env = { ALEPH_PRIVATE_KEY: `0x${'55'.repeat(32)}`, ALEPH_NETWORK: 'http://127.0.0.1:9' }

let user: CliUser
beforeAll(async () => {
  user = await CliUser.create()
})
afterAll(() => user[Symbol.asyncDispose]())

async function fixture<T>(name: string): Promise<T> {
  const path = fileURLToPath(new URL(`../../../fixtures/${name}.json`, import.meta.url))
  return JSON.parse(await readFile(path, 'utf8')) as T
}

async function given(name: string, value: unknown): Promise<string> {
  await writeFile(join(user.folder, name), typeof value === 'string' ? value : JSON.stringify(value))
  return name
}

function lines(stdout: string): { item_hash: string | null; valid: boolean; reason: string | null }[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

describe('aleph message verify', () => {
  it('judges the messages of every chain as nodes do, a line each, and ends with code 1 if one is bad', async () => {
    const all = await fixture<Fixture[]>('signed-messages')
    // One has a bad signature and a hash of the wrong shape; the shape is looked at first.
    const judged = all.filter((each) => each.expect.endsWith('valid') && each.id !== 'real-eth-deadbeef')
    const file = await given(
      'all.json',
      judged.map((each) => each.message),
    )
    const result = await user.run(['message', 'verify', file, '--json'], { env })
    expect(result.code).toBe(1)
    expect(
      lines(result.stdout).map(({ item_hash, valid, reason }) => ({ item_hash, valid, reason })),
    ).toEqual(
      judged.map((each) => ({
        item_hash: each.message.item_hash,
        valid: each.expect === 'valid',
        reason: each.reason ?? null,
      })),
    )
  })

  it('takes one message, a message a line, several files and what nodes answer, and ends with code 0', async () => {
    const [first, second] = (await fixture<Fixture[]>('signed-messages')).filter(
      (each) => each.expect === 'valid',
    )
    const one = await given('one.json', first!.message)
    const many = await given(
      'many.jsonl',
      `${JSON.stringify(first!.message)}\n${JSON.stringify(second!.message)}\n`,
    )
    const input = JSON.stringify({ status: 'processed', message: second!.message })
    const result = await user.run(['message', 'verify', one, many, '-', '--json'], { env, input })
    expect(lines(result.stdout)).toHaveLength(4)
    expect(result.code).toBe(0)
    const shown = await user.run(['message', 'verify', one], { env })
    expect(shown.stdout).toBe('1 of 1 message is valid.\n')
  })

  it('refuses what is no message, and says why', async () => {
    const file = await given('bad.jsonl', '{"type":"POST"}\n{nonsense\n[]\n"text"\nnull\n')
    const result = await user.run(['message', 'verify', file, '--json'], { env })
    expect(lines(result.stdout).map((line) => line.reason)).toEqual(Array(5).fill('format'))
    const shown = await user.run(['message', 'verify', file], { env })
    expect(shown.stdout).toContain('item_hash: field required')
    expect((await user.run(['message', 'verify', 'nowhere.json', '--json'], { env })).json()).toMatchObject({
      error: { code: 'no_such_path' },
    })
  })
})

describe('aleph message sign', () => {
  it('makes a message of a content, which then is valid', async () => {
    const input = JSON.stringify({ type: 'note', content: { body: 'Hi' }, time: 1_780_000_000 })
    const signed = await user.run(['message', 'sign', '--type', 'POST', '--json'], { env, input })
    expect(signed.json()).toMatchObject({ type: 'POST', chain: 'ETH', time: 1_780_000_000 })
    const verified = await user.run(['message', 'verify', '-'], { env, input: signed.stdout })
    expect(verified.code).toBe(0)
  })

  it('signs a whole message of this account anew, and no other', async () => {
    const input = JSON.stringify({ type: 'note', content: { body: 'Hi' } })
    const signed = await user.run(['message', 'sign', '--type', 'POST'], { env, input })
    const message = JSON.parse(signed.stdout) as Record<string, unknown>
    const unsigned = JSON.stringify({ ...message, signature: undefined })
    const again = await user.run(['message', 'sign', '--json'], { env, input: unsigned })
    expect(again.json()).toEqual(message)
    const other = { ...env, ALEPH_PRIVATE_KEY: `0x${'66'.repeat(32)}` }
    const refused = await user.run(['message', 'sign', '--json'], { env: other, input: unsigned })
    expect(refused.json()).toMatchObject({ error: { code: 'wrong_account' } })
  })

  it('signs with a key of any chain', async () => {
    for (const chain of ['SOL', 'AVAX', 'CSDK', 'DOT', 'NULS2', 'TEZOS']) {
      await user.run(['account', 'create', chain, '--chain', chain, '--no-passphrase'], { env })
      const signed = await user.run(['message', 'sign', '--type', 'POST', '--account', chain, '--json'], {
        env,
        input: '{"type":"note","content":{}}',
      })
      expect(signed.json()).toMatchObject({ chain })
      expect((await user.run(['message', 'verify', '-'], { env, input: signed.stdout })).code).toBe(0)
    }
  })

  it('sends it when asked to', async () => {
    await using network = await FakeNetwork.create()
    const result = await user.run(['message', 'sign', '--type', 'AGGREGATE', '--send', '--json'], {
      env: { ...env, ALEPH_NETWORK: network.url },
      input: '{"key":"profile","content":{"name":"Ada"}}',
    })
    expect(result.json()).toMatchObject({ status: 'processed' })
    expect(network.ofType('AGGREGATE')[0]?.content).toMatchObject({ key: 'profile' })
  })

  it('names the field that is wrong', async () => {
    const result = await user.run(['message', 'sign', '--type', 'POST', '--json'], {
      env,
      input: '{"type":5}',
    })
    expect(result.code).toBe(2)
    expect(JSON.stringify(result.json())).toContain('type')
  })
})

describe('aleph price estimate', () => {
  interface Vector {
    id: string
    message_type: string
    content: Record<string, unknown> & { item_hash?: string }
    files: Record<string, number>
    expected: { cost: string }
  }

  it('gives the price of the network digit for digit, also without a network', async () => {
    const { vectors } = await fixture<{ vectors: Vector[] }>('cost-vectors')
    for (const id of ['instance-estimate-credit', 'store-credit-100mib', 'vprogram-credit-2cu']) {
      const vector = vectors.find((each) => each.id === id)!
      const file = await given('content.json', vector.content)
      const sizes = Object.entries(vector.files).flatMap(([hash, bytes]) => ['--size', `${hash}=${bytes}`])
      const result = await user.run(
        ['price', 'estimate', file, '--type', vector.message_type, '--json', ...sizes],
        { env },
      )
      expect(result.json()).toMatchObject({
        cost: vector.expected.cost,
        prices: 'built-in',
        unknown_sizes: [],
      })
    }
  })

  it('tells what is not in the price', async () => {
    const { vectors } = await fixture<{ vectors: Vector[] }>('cost-vectors')
    const { content } = vectors.find((each) => each.id === 'store-hold-100mib')!
    const file = await given('store.json', { type: 'STORE', content })
    const result = await user.run(['price', 'estimate', file, '--offline'], { env })
    expect(result.stderr).toContain(content.item_hash)
    expect(result.stdout).toContain('0 ALEPH')
  })

  it('asks the network where one answers', async () => {
    await using network = await FakeNetwork.create()
    const { vectors } = await fixture<{ vectors: Vector[] }>('cost-vectors')
    const vector = vectors.find((each) => each.id === 'instance-hold-1cu')!
    const file = await given('instance.json', { type: 'INSTANCE', content: vector.content })
    const result = await user.run(['price', 'estimate', file, '--json'], {
      env: { ...env, ALEPH_NETWORK: network.url },
    })
    expect(result.json()).toMatchObject({ prices: 'custom', cost: network.price })
  })

  it('refuses what costs nothing', async () => {
    const result = await user.run(['price', 'estimate', '-', '--json'], {
      env,
      input: '{"type":"POST","content":{}}',
    })
    expect(result.json()).toMatchObject({ error: { code: 'bad_json' } })
  })
})
