import { expect, test } from 'vitest'
import { CustomDomains } from './custom-domains.ts'

const hash = 'decadeca'.repeat(8)

function domains(records: Record<string, string>) {
  const asked: string[] = []
  const lookups = new CustomDomains({
    domainsOf: async () => null,
    async resolveTxt(name) {
      asked.push(name)
      const text = records[name]
      if (text === undefined) throw new Error('no such name')
      return [[text]]
    },
  })
  return { asked, lookups }
}

test('the DNS is asked once a minute for one domain, also when many ask at once', async () => {
  const { asked, lookups } = domains({ '_aleph-id.shop.example': hash })
  const answers = await Promise.all(Array.from({ length: 5 }, () => lookups.lookup('shop.example')))
  expect([...answers, await lookups.lookup('shop.example')]).toEqual(Array(6).fill(hash))
  expect(asked).toEqual(['_aleph-id.shop.example'])
})

test('what was found is told, and asked for anew when it is to be forgotten', async () => {
  const { asked, lookups } = domains({ '_aleph-id.shop.example': hash })
  await Promise.all([lookups.lookup('shop.example'), lookups.lookup('nobody.example')])
  expect(lookups.known()).toEqual([{ name: 'shop.example', hash }])
  lookups.forgetAll()
  expect(lookups.known()).toEqual([])
  asked.length = 0
  await lookups.lookup('shop.example')
  expect(asked).toEqual(['_aleph-id.shop.example'])
})

test('what cannot be a domain is asked of nobody', async () => {
  const { asked, lookups } = domains({})
  for (const host of ['localhost', '-a.example', 'a..b', `${'a'.repeat(64)}.example`, 'a b.example', '']) {
    expect(await lookups.lookup(host)).toBeNull()
  }
  expect(asked).toEqual([])
})

test('a flood of unknown domains is refused before it becomes one of the DNS', async () => {
  const lookups = new CustomDomains({ domainsOf: async () => null, resolveTxt: () => new Promise(() => {}) })
  for (let count = 0; count < 32; count++) lookups.lookup(`n${count}.example`)
  await expect(lookups.lookup('more.example')).rejects.toMatchObject({ code: 'overloaded' })
})
