import { base58, base64 } from '@scure/base'
import { describe, expect, it } from 'vitest'
import {
  addressKey,
  addressOfPrivateKey,
  avalancheAddress,
  type Chain,
  canonicalSignature,
  type Envelope,
  isAddress,
  type SignedMessage,
  sha256Bytes,
  signEnvelope,
  smartWalletCall,
  solanaAddress,
  tezosAddress,
  verifySignature,
} from '../src/index.ts'

const key = new Uint8Array(32).fill(7)
const orders = {
  secp256k1: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  p256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
}

function signed(chain: Chain, sender = addressOfPrivateKey(chain, key)): Envelope & { signature: string } {
  const message = signEnvelope(
    {
      sender,
      chain,
      type: 'POST',
      item_type: 'storage',
      item_hash: 'a'.repeat(64),
      item_content: null,
      time: 1_780_000_000,
      channel: null,
    },
    key,
  )
  return message as Envelope & { signature: string }
}

/** How to get at r ‖ s, and what follows from the lower or higher s, in the signatures of a chain. */
interface EcdsaForm {
  chain: Chain
  curve: keyof typeof orders
  bytes(signature: string): Uint8Array
  /** The signature with other bytes, its recovery bit turned if asked. */
  withBytes(signature: string, bytes: Uint8Array, flip: boolean): string
}

const ecdsaForms: EcdsaForm[] = [
  {
    chain: 'ETH',
    curve: 'secp256k1',
    bytes: (text) => fromHex(text.slice(2, 130)),
    withBytes: (text, bytes, flip) =>
      `0x${toHex(bytes)}${(Number.parseInt(text.slice(130), 16) ^ (flip ? 7 : 0)).toString(16)}`,
  },
  {
    chain: 'AVAX',
    curve: 'secp256k1',
    bytes: (text) => base58.decode(text).slice(0, 64),
    withBytes(text, bytes, flip) {
      const payload = Uint8Array.from([...bytes, base58.decode(text)[64]! ^ Number(flip)])
      return base58.encode(Uint8Array.from([...payload, ...sha256Bytes(payload).slice(-4)]))
    },
  },
  {
    chain: 'NULS2',
    curve: 'secp256k1',
    bytes: (text) => base64.decode(text).slice(1),
    withBytes: (text, bytes, flip) =>
      base64.encode(Uint8Array.from([((base64.decode(text)[0]! - 27) ^ Number(flip)) + 27, ...bytes])),
  },
  {
    chain: 'CSDK',
    curve: 'secp256k1',
    bytes: (text) => base64.decode(JSON.parse(text).signature),
    withBytes: (text, bytes) => JSON.stringify({ ...JSON.parse(text), signature: base64.encode(bytes) }),
  },
  {
    chain: 'NEO',
    curve: 'p256',
    bytes: (text) => fromHex(JSON.parse(text).data),
    withBytes: (text, bytes) => JSON.stringify({ ...JSON.parse(text), data: toHex(bytes) }),
  },
]

describe.each(ecdsaForms)('ECDSA on $chain', ({ chain, curve, bytes, withBytes }) => {
  const message = signed(chain)
  const order = orders[curve]
  const [r, s] = numbersOf(bytes(message.signature))

  it('takes the twin that anybody can make of a signature, and stores both as one', () => {
    const twin = withBytes(message.signature, bytesOf(r, order - s), true)
    expect(twin).not.toBe(message.signature)
    expect(verifySignature({ ...message, signature: twin })).toBe(true)
    expect(canonicalSignature(chain, twin)).toBe(message.signature)
  })

  it('refuses numbers that are zero or not below the order, which some code takes modulo', () => {
    const bad: [bigint, bigint][] = [
      [0n, s],
      [r, 0n],
      [0n, 0n],
      [order, s],
      [r, order],
      [order, order],
      [2n ** 256n - 1n, 2n ** 256n - 1n],
    ]
    for (const [badR, badS] of bad) {
      const signature = withBytes(message.signature, bytesOf(badR, badS), false)
      expect(verifySignature({ ...message, signature })).toBe(false)
      expect(typeof canonicalSignature(chain, signature)).toBe('string')
    }
  })
})

describe('signatures that are JSON', () => {
  const chains = ['SOL', 'CSDK', 'DOT', 'TEZOS', 'NEO'] as const

  it.each(chains)('of %s are refused with anything but text where text belongs', (chain) => {
    const message = signed(chain)
    const parts = JSON.parse(message.signature) as Record<string, unknown>
    const odd: unknown[] = [
      null,
      1,
      true,
      [],
      {},
      ['a'],
      { toString: 'x' },
      [parts.signature],
      '',
      '\0',
      '\ud800',
      '💥',
    ]
    for (const field of Object.keys(parts).filter((name) => !['account_number', 'sequence'].includes(name))) {
      for (const value of odd) {
        const signature = JSON.stringify({ ...parts, [field]: value })
        // A salt may be any text; then the signature is of another message.
        expect(verifySignature({ ...message, signature }), signature).toBe(false)
        expect(typeof canonicalSignature(chain, signature)).toBe('string')
      }
    }
  })

  it.each(chains)('of %s are not found under inherited names, and extra names do not matter', (chain) => {
    const message = signed(chain)
    const inherited = `{"__proto__":${message.signature}}`
    expect(verifySignature({ ...message, signature: inherited })).toBe(false)
    const extended = message.signature.replace('{', '{"extra":[1],')
    expect(verifySignature({ ...message, signature: extended })).toBe(true)
    expect(canonicalSignature(chain, extended)).toBe(message.signature)
  })
})

describe('public keys', () => {
  const uncompressed = new Uint8Array(65).fill(4)
  const offCurve = Uint8Array.of(2, ...new Uint8Array(32).fill(255))
  const infinity = new Uint8Array(33)

  it.each([uncompressed, offCurve, infinity, new Uint8Array(0)])(
    'that are no points are refused (%#)',
    (point) => {
      const cosmos = signed('CSDK')
      const value = { type: 'tendermint/PubKeySecp256k1', value: base64.encode(point) }
      const onCosmos = JSON.stringify({ ...JSON.parse(cosmos.signature), pub_key: value })
      expect(verifySignature({ ...cosmos, signature: onCosmos })).toBe(false)
      const neo = signed('NEO')
      const onNeo = JSON.stringify({ ...JSON.parse(neo.signature), publicKey: toHex(point) })
      expect(verifySignature({ ...neo, signature: onNeo })).toBe(false)
    },
  )

  it('of Solana are refused when they have a second spelling or small order', () => {
    const spelledTwice = Uint8Array.of(0xee, ...new Uint8Array(30).fill(255), 0x7f)
    for (const point of [new Uint8Array(32), spelledTwice, Uint8Array.of(1, ...new Uint8Array(31))]) {
      const sender = base58.encode(point)
      const signature = JSON.stringify({ signature: base58.encode(new Uint8Array(64)), publicKey: sender })
      expect(verifySignature({ ...signed('SOL'), sender, signature })).toBe(false)
    }
  })

  it('of one curve do not speak for an address of another', () => {
    const [tz1, tz2] = [tezosAddress(key), tezosAddress(key, 'secp256k1')]
    const [one, two] = [signed('TEZOS', tz1), signed('TEZOS', tz2)]
    expect(verifySignature({ ...one, signature: two.signature })).toBe(false)
    const { publicKey } = JSON.parse(one.signature)
    const mixed = JSON.stringify({ ...JSON.parse(two.signature), publicKey })
    expect(verifySignature({ ...one, signature: mixed })).toBe(false)
  })
})

describe('sr25519', () => {
  const message = signed('DOT')
  const bytes = fromHex(JSON.parse(message.signature).data.slice(2))
  const withData = (data: Uint8Array) => ({
    ...message,
    signature: JSON.stringify({ curve: 'sr25519', data: `0x${toHex(data)}` }),
  })

  it('refuses a signature without its mark, and an s that is not reduced', () => {
    const unmarked = bytes.slice()
    unmarked[63]! &= 0x7f
    expect(verifySignature(withData(unmarked))).toBe(false)
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const s = unmarked.slice(32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + order
    const large = bytes.slice()
    for (let i = 0; i < 32; i++) large[32 + i] = Number((s >> BigInt(8 * i)) & 0xffn)
    large[63]! |= 0x80
    expect(verifySignature(withData(large))).toBe(false)
    expect(verifySignature(withData(new Uint8Array(64)))).toBe(false)
    expect(verifySignature(message)).toBe(true)
  })
})

describe('the sender', () => {
  it('must be the address in full: no other network, prefix or spelling', () => {
    const avalanche = signed('AVAX')
    const fuji = avalancheAddress(key).replace('avax1', 'fuji1')
    for (const sender of [
      fuji,
      avalanche.sender.slice(2),
      avalanche.sender.toUpperCase(),
      ` ${avalanche.sender}`,
    ]) {
      expect(verifySignature({ ...avalanche, sender })).toBe(false)
    }
    const solana = signed('SOL')
    expect(verifySignature({ ...solana, sender: `1${solanaAddress(key)}` })).toBe(false)
    const nuls = signed('NULS2')
    expect(verifySignature({ ...nuls, sender: nuls.sender.replace('NULSd', 'tNULSe') })).toBe(false)
  })

  it('of an EVM chain is one account however it is typed', () => {
    const { sender } = signed('ETH')
    for (const typed of [sender.toLowerCase(), `0x${sender.slice(2).toUpperCase()}`, sender.toUpperCase()]) {
      expect(addressKey('ETH', typed)).toBe(sender)
    }
  })
})

describe('text of any size and kind', () => {
  const chains: Chain[] = ['ETH', 'SOL', 'AVAX', 'CSDK', 'DOT', 'TEZOS', 'NULS', 'NULS2', 'NEO']
  const long = 65_536
  const texts = [
    'a'.repeat(long),
    '1'.repeat(long),
    `0x${'f'.repeat(long)}`,
    '['.repeat(long),
    '{"a":'.repeat(long / 5),
    'é💥\ud800'.repeat(1_000),
    JSON.stringify({
      signature: '1'.repeat(long),
      publicKey: 'z'.repeat(128),
      data: 'f'.repeat(long),
      salt: '',
    }),
  ]
  const senders = [
    'z'.repeat(512),
    '1'.repeat(512),
    `X-${'q'.repeat(510)}`,
    `${'a'.repeat(83)}1${'q'.repeat(428)}`,
    '',
  ]

  it.each(chains)('as a signature or sender on %s is no signature, and no reason to throw', (chain) => {
    const good: SignedMessage = signed(chain)
    for (const signature of [...texts, good.signature!]) {
      for (const sender of [...senders, good.sender]) {
        const message = { ...good, sender, signature }
        const isGood = signature === good.signature && sender === good.sender
        expect(verifySignature(message)).toBe(isGood)
        expect(isAddress(chain, sender)).toBe(sender === good.sender)
        expect(typeof canonicalSignature(chain, signature!)).toBe('string')
        expect(() => smartWalletCall(message, '0x')).not.toThrow()
      }
    }
  })
})

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function numbersOf(bytes: Uint8Array): [r: bigint, s: bigint] {
  return [BigInt(`0x${toHex(bytes.slice(0, 32))}`), BigInt(`0x${toHex(bytes.slice(32, 64))}`)]
}

function bytesOf(r: bigint, s: bigint): Uint8Array {
  return fromHex(r.toString(16).padStart(64, '0') + s.toString(16).padStart(64, '0'))
}
