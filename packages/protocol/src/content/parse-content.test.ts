import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../errors/protocol-error.ts'
import { itemHash } from '../hash/item-hash.ts'
import { type Envelope, type MessageType, messageTypes } from '../message/envelope.ts'
import { parseContentText } from './content-text.ts'
import { parseContent, parseFetchedContent, parseInlineContent } from './parse-content.ts'
import { extractTags } from './tags.ts'

const hash = 'a'.repeat(64)
const base = { address: '0x1', time: 1_780_000_000 }
const executable = { ...base, allow_amend: false, resources: {} }
const program = {
  ...executable,
  type: 'vm-function',
  environment: {},
  code: { encoding: 'zip', entrypoint: 'main:app', ref: hash },
  runtime: { ref: hash, comment: '' },
  on: { http: true },
}
const instance = {
  ...executable,
  environment: {},
  rootfs: { parent: { ref: hash }, persistence: 'host', size_mib: 20480 },
}
const register = 'b'.repeat(96)
const vProgram = {
  ...executable,
  environment: {},
  payment: { type: 'credit' },
  runtime: { ref: hash },
  workload: { ref: hash, hash_tree: hash, roothash: hash },
  verification: {
    backend: 'sev_snp',
    measurements: [{ platform: 'sev_snp', registers: { launch: register } }],
  },
}

/** Where the first complaint points, or null when the content is fine. */
function complaint(type: MessageType, content: unknown): string | null {
  try {
    parseContent(type, content)
    return null
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const [first] = error.details!.errors as { loc: unknown[] }[]
    return first!.loc.join('.')
  }
}

describe('POST, AGGREGATE, STORE and FORGET', () => {
  it.each<[string, MessageType, object, string | null]>([
    ['post', 'POST', { ...base, type: 't' }, null],
    ['post with an unknown key', 'POST', { ...base, type: 't', extra: 1 }, 'extra'],
    ['amend without ref', 'POST', { ...base, type: 'amend' }, 'ref'],
    ['post without type', 'POST', base, 'type'],
    ['negative time', 'POST', { ...base, type: 't', time: -1 }, 'time'],
    ['time beyond all clocks', 'POST', { ...base, type: 't', time: 9_223_372_037 }, 'time'],
    ['time as numeric text', 'POST', { ...base, type: 't', time: '1.5' }, null],
    ['time as other text', 'POST', { ...base, type: 't', time: '2020-01-01' }, 'time'],
    ['aggregate', 'AGGREGATE', { ...base, key: 'k', content: {} }, null],
    ['aggregate of a list', 'AGGREGATE', { ...base, key: 'k', content: [] }, 'content'],
    ['store', 'STORE', { ...base, item_type: 'storage', item_hash: hash, mime_type: 'x' }, null],
    ['store with the wrong item_type', 'STORE', { ...base, item_type: 'ipfs', item_hash: hash }, 'item_type'],
    ['store of an inline file', 'STORE', { ...base, item_type: 'inline', item_hash: hash }, 'item_type'],
    [
      'store paid by stream',
      'STORE',
      { ...base, item_type: 'storage', item_hash: hash, payment: { type: 'superfluid' } },
      'payment.type',
    ],
    ['forget', 'FORGET', { ...base, hashes: [hash], reason: null }, null],
    ['forget of an aggregate key', 'FORGET', { ...base, hashes: [], aggregates: ['profile'] }, null],
    ['forget of what is no hash', 'FORGET', { ...base, hashes: [hash, 'x'] }, 'hashes.1'],
    ['forget of too much', 'FORGET', { ...base, hashes: Array(1001).fill(hash) }, 'hashes'],
  ])('%s', (_, type, content, expected) => {
    expect(complaint(type, content)).toBe(expected)
  })

  it('a legacy reference and a legacy key are read as what they name', () => {
    const ref = {
      chain: 'ETH',
      item_hash: hash,
      item_content: '',
      item_type: 'inline',
      sender: '0x1',
      signature: '',
      time: 1,
    }
    expect(parseContent('POST', { ...base, type: 't', ref })).toMatchObject({ ref: hash, content: null })
    expect(parseContent('AGGREGATE', { ...base, key: { name: 'k' }, content: {} })).toMatchObject({
      key: 'k',
    })
  })
})

describe('PROGRAM', () => {
  it('gets every default', () => {
    expect(parseContent('PROGRAM', program)).toMatchObject({
      resources: { vcpus: 1, memory: 128, seconds: 1, published_ports: null },
      environment: { internet: false, hypervisor: null },
      code: { interface: 'asgi', use_latest: false, args: null },
      runtime: { use_latest: true },
      on: { persistent: false, message: null },
      volumes: [],
      payment: null,
    })
  })

  it('may use the lax forms that history is full of', () => {
    const lax = { ...program, allow_amend: 'no', resources: { vcpus: '2', memory: 128.0 }, on: { http: 1 } }
    expect(parseContent('PROGRAM', { ...lax, metadata: [] })).toMatchObject({
      allow_amend: false,
      resources: { vcpus: 2, memory: 128 },
      on: { http: true },
    })
  })

  it.each<[string, object, string | null]>([
    ['an unknown key', { tuype: 1 }, 'tuype'],
    ['another type', { type: 'vm-instance' }, 'type'],
    ['an unknown encoding', { code: { ...program.code, encoding: 'tar' } }, 'code.encoding'],
    ['a code that is no hash', { code: { ...program.code, ref: 'owner/ref' } }, 'code.ref'],
    ['no runtime', { runtime: undefined }, 'runtime'],
    ['an unknown trigger', { on: { http: true, cron: '*' } }, 'on.cron'],
    ['too many CPUs', { resources: { vcpus: 257 } }, 'resources.vcpus'],
    ['half a CPU', { resources: { vcpus: 1.5 } }, 'resources.vcpus'],
    ['volumes of null', { volumes: null }, 'volumes'],
    ['a variable that is a number', { variables: { A: 1 } }, 'variables.A'],
    ['an unknown payment chain', { payment: { type: 'hold', chain: 'XYZ' } }, 'payment.chain'],
    [
      'a pattern that does not compile',
      { requirements: { node: { address_regex: '(' } } },
      'requirements.node.address_regex',
    ],
    ['a pattern with a Python group', { requirements: { node: { address_regex: '(?P<a>x)' } } }, null],
  ])('with %s', (_, change, expected) => {
    expect(complaint('PROGRAM', { ...program, ...change })).toBe(expected)
  })

  it.each<[object, string]>([
    [{ ref: hash }, 'immutable'],
    [{ mount: '/a', size_mib: 10 }, 'ephemeral'],
    [{ mount: '/a', size_mib: 1001 }, 'persistent'],
    [{ ephemeral: true, size_mib: 10 }, 'ephemeral'],
    [{ name: 'n', size_mib: 10 }, 'persistent'],
    [{ persistence: null, size_mib: 10 }, 'persistent'],
    [{ parent: { ref: hash }, size_mib: 10 }, 'persistent'],
  ])('volume %j is %s', (volume, kind) => {
    expect(parseContent('PROGRAM', { ...program, volumes: [volume] }).volumes).toMatchObject([{ kind }])
  })

  it.each<object>([
    {},
    { mount: '/a' },
    { ref: hash, size_mib: 10 },
    { ephemeral: false, size_mib: 10 },
    { size_mib: 1.5 },
    { size_mib: '10' },
    { size_mib: 1_953_126 },
    { kind: 'ephemeral', size_mib: 10 },
  ])('volume %j is refused', (volume) => {
    expect(complaint('PROGRAM', { ...program, volumes: [volume] })).toMatch(/^volumes\.0/)
  })
})

describe('INSTANCE', () => {
  const node = { node: { node_hash: hash } }
  const gpu = [{ vendor: 'NVIDIA', device_name: 'x', device_class: '0300', device_id: '10de:2684' }]
  const qemu = { environment: { hypervisor: 'qemu' } }
  const nodeHash = 'requirements.node.node_hash'

  it.each<[string, object, string | null]>([
    ['nothing special', {}, null],
    ['a trigger', { on: { http: true } }, 'on'],
    ['credits, no requirements', { payment: { type: 'credit' } }, null],
    ['credits, empty requirements', { payment: { type: 'credit' }, requirements: {} }, nodeHash],
    ['credits and a node', { payment: { type: 'credit' }, requirements: node }, null],
    ['a GPU without a node', { ...qemu, requirements: { gpu } }, nodeHash],
    ['a GPU without qemu', { requirements: { ...node, gpu } }, 'environment.hypervisor'],
    ['a GPU as it should be', { ...qemu, requirements: { ...node, gpu } }, null],
    [
      'terms paid by hold',
      { requirements: { node: { node_hash: hash, terms_and_conditions: hash } } },
      'requirements.node.terms_and_conditions',
    ],
    [
      'confidential without qemu',
      { environment: { trusted_execution: { firmware: hash } } },
      'environment.hypervisor',
    ],
    ['empty trusted_execution', { environment: { trusted_execution: {} } }, null],
    ['no environment', { environment: undefined }, 'environment'],
    ['a disk of fractional size', { rootfs: { ...instance.rootfs, size_mib: 1.5 } }, 'rootfs.size_mib'],
  ])('with %s', (_, change, expected) => {
    expect(complaint('INSTANCE', { ...instance, ...change })).toBe(expected)
  })

  const tee = (trusted_execution: object) => ({ environment: { hypervisor: 'qemu', trusted_execution } })
  const snp = {
    mode: 'sev_snp',
    policy: 0x30000,
    runtime: hash,
    measurements: [{ platform: 'sev_snp', registers: { launch: register } }],
  }
  it.each<[string, object, string | null]>([
    ['legacy SEV', { firmware: hash, policy: 1 }, null],
    ['legacy SEV with measurements', { measurements: [] }, 'environment.trusted_execution.measurements'],
    ['SEV-SNP', snp, null],
    [
      'SEV-SNP with the older digest',
      { ...snp, measurements: [{ platform: 'sev_snp', digest: register }] },
      null,
    ],
    ['SEV-SNP without runtime', { ...snp, runtime: null }, 'environment.trusted_execution.runtime'],
    ['SEV-SNP with a policy lacking bit 17', { ...snp, policy: 1 }, 'environment.trusted_execution.policy'],
    ['SEV-SNP measured for TDX', { ...snp, mode: 'tdx' }, 'environment.trusted_execution.measurements'],
  ])('confidential: %s', (_, trusted, expected) => {
    expect(complaint('INSTANCE', { ...instance, ...tee(trusted) })).toBe(expected)
  })
})

describe('V-PROGRAM', () => {
  it.each<[string, object, string | null]>([
    ['as it should be', {}, null],
    ['that may change', { allow_amend: true }, 'allow_amend'],
    ['that replaces another', { replaces: hash }, 'replaces'],
    ['with variables', { variables: { A: 'b' } }, 'variables'],
    ['with empty variables', { variables: {} }, null],
    ['paid by hold', { payment: { type: 'hold' } }, 'payment.type'],
    ['with a lax number', { resources: { vcpus: '2' } }, 'resources.vcpus'],
    [
      'with a policy JavaScript cannot hold',
      { verification: { ...vProgram.verification, policy: 2 ** 60 } },
      'verification.policy',
    ],
  ])('%s', (_, change, expected) => {
    expect(complaint('V-PROGRAM', { ...vProgram, ...change })).toBe(expected)
  })
})

describe('errors', () => {
  it('say what is wrong and where, for every mistake at once', () => {
    try {
      parseContent('POST', { time: 'soon', type: 't', extra: 1 })
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_FORMAT', errorCode: 0, retryable: false })
      expect((error as ProtocolError).details!.errors).toEqual([
        { type: 'missing', loc: ['address'], msg: 'Field required' },
        { type: 'invalid_type', loc: ['time'], msg: expect.any(String), input: 'soon' },
        { type: 'extra_forbidden', loc: ['extra'], msg: 'Extra inputs are not permitted' },
      ])
    }
  })
})

describe('the text of a content', () => {
  it.each([
    ['an escaped NUL', '{"a":"\\u0000"}', /NUL/],
    ['an escaped NUL behind a backslash', '{"a":"\\\\u0000"}', /NUL/],
    ['half a character', '{"a":["\\ud800"]}', /Unicode/],
    ['half a character as a key', '{"\\udc00":1}', /Unicode/],
    ['no JSON', '{', /not valid JSON/],
    ['a list', '[]', /JSON object/],
    ['a number that is ten characters here and 100,000 digits in a database', '{"a":1e100000}', /exponent/],
    ['a number that no double holds', '{"a":-1.5E-0400}', /exponent/],
    ['endless nesting', `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`, /nested deeper/],
  ])('with %s is refused', (_, text, error) => {
    expect(() => parseContentText(text)).toThrow(error)
    expect(() => parseContentText(text)).toThrow(ProtocolError)
  })

  it('may hold numbers as large and as small as a double, and text that looks like larger ones', () => {
    expect(parseContentText('{"a":[1e308,5E-324,0.1e+3]}').a).toEqual([1e308, 5e-324, 100])
    expect(parseContentText('{"00e9999":"\\"7e9999"}')).toEqual({ '00e9999': '"7e9999' })
  })

  it('may hold whole characters as escapes and many flat brackets', () => {
    expect(parseContentText('{"a":"\\ud83d\\ude80"}')).toEqual({ a: '🚀' })
    expect(parseContentText(`{"a":"${'['.repeat(5000)}"}`).a).toHaveLength(5000)
  })

  it('inline gives both what was sent and what it means', () => {
    const text = '{"address":"0x1","time":"1","type":"t","content":{"b":1}}'
    const parsed = parseInlineContent(envelopeOf(text))
    expect(parsed.raw).toEqual({ address: '0x1', time: '1', type: 't', content: { b: 1 } })
    expect(parsed.content).toMatchObject({ time: 1, ref: null })
  })

  it('fetched may leave address and time to the envelope, inline may not', () => {
    const text = '{"type":"t"}'
    expect(parseFetchedContent(envelopeOf(text), text).content).toMatchObject({
      address: '0xSender',
      time: 5,
    })
    expect(() => parseInlineContent(envelopeOf(text))).toThrow(/address/)
    expect(() => parseInlineContent({ ...envelopeOf(text), item_content: null })).toThrow(/fetch it/)
  })
})

it('tags are found where each type keeps them, and nonsense is skipped', () => {
  expect(extractTags('POST', { content: { tags: ['a', 1, 'b'] } })).toEqual(['a', 'b'])
  expect(extractTags('STORE', { tags: ['a'] })).toEqual(['a'])
  expect(extractTags('PROGRAM', { metadata: { tags: 'a' } })).toEqual([])
  expect(extractTags('FORGET', { tags: ['a'] })).toEqual([])
  expect(extractTags('INSTANCE', { metadata: null })).toEqual([])
})

it('any JSON is answered with a content or a protocol error', () => {
  const shapes: Record<string, object> = { PROGRAM: program, INSTANCE: instance, 'V-PROGRAM': vProgram }
  const nearly = fc.constantFrom(...messageTypes).chain((type) =>
    fc
      .dictionary(
        fc.constantFrom(...Object.keys({ ...base, ...shapes[type] }), 'x', '__proto__'),
        fc.jsonValue(),
      )
      .map((change) => ({
        type,
        content: { ...base, ...shapes[type], ...change },
      })),
  )
  const anything = fc.record({ type: fc.constantFrom(...messageTypes), content: fc.jsonValue() })
  fc.assert(
    fc.property(fc.oneof(nearly, anything), ({ type, content }) => {
      try {
        parseContent(type, content)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
    }),
    { numRuns: 1000 },
  )
})

function envelopeOf(item_content: string): Envelope & { type: 'POST' } {
  return {
    sender: '0xSender',
    chain: 'ETH',
    signature: null,
    type: 'POST',
    item_type: 'inline',
    item_hash: itemHash(item_content),
    item_content,
    time: 5,
    channel: null,
  }
}
