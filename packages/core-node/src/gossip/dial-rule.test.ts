import type { LookupAddress } from 'node:dns'
import { createServer, type Server } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { dialRule } from './dial-rule.ts'
import { createHost } from './host.ts'
import { parsePeerAddress } from './peer-address.ts'
import { PeerConduct } from './peer-conduct.ts'

const peerId = 'QmZkurbY2G2hWay59yiTgQNaQxHSNzKZFt2jbnwJhQcKgV'
const configured = parsePeerAddress(`/ip4/10.0.0.7/tcp/4025/p2p/${peerId}`)!

test.each([
  ['/ip4/203.0.114.7/tcp/4025', true],
  ['/dns4/node.example.org/tcp/4025', true],
  ['/ip4/10.0.0.7/tcp/4026', true],
  ['/ip4/10.0.0.8/tcp/4025', false],
  ['/ip4/127.0.0.1/tcp/5432', false],
  ['/ip6/::1/tcp/4025', false],
  ['/ip6/::ffff:127.0.0.1/tcp/4025', false],
])('whether %s is connected to: %s', (address, isDialed) => {
  expect(dialRule([configured], { allowPrivate: false }).mayDial(multiaddr(address))).toBe(isDialed)
  expect(dialRule([], { allowPrivate: true }).mayDial(multiaddr(address))).toBe(true)
})

test.each(['/unix/%2Frun%2Fpostgres.sock', '/ip6zone/eth0/ip6/fe80::1/tcp/4025'])(
  '%s is no address on the internet, and never connected to',
  (address) => {
    for (const allowPrivate of [true, false]) {
      expect(dialRule([], { allowPrivate }).mayDial(multiaddr(address))).toBe(false)
    }
  },
)

function resolve(rule: ReturnType<typeof dialRule>, name: string): Promise<string | LookupAddress[]> {
  return new Promise((done, fail) => {
    rule.lookup(name, { all: true }, (error, found) => (error ? fail(error) : done(found)))
  })
}

test('a name that leads into a private network leads nowhere, unless the operator configured it', async () => {
  const strict = dialRule([configured], { allowPrivate: false })
  await expect(resolve(strict, 'localhost')).rejects.toMatchObject({ code: 'private_address' })
  const named = parsePeerAddress(`/dns4/localhost/tcp/4025/p2p/${peerId}`)!
  for (const rule of [dialRule([named], { allowPrivate: false }), dialRule([], { allowPrivate: true })]) {
    expect(await resolve(rule, 'localhost')).toContainEqual({ address: '127.0.0.1', family: 4 })
  }
})

test('a peer whose registered name leads into a private network is not connected to', async () => {
  let connections = 0
  const server: Server = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  const options = {
    privateKey: await generateKeyPair('Ed25519'),
    listenHosts: ['127.0.0.1'],
    listenPort: 0,
    topics: [],
    conduct: new PeerConduct({ membersOnly: false }),
  }
  for (const [allowPrivate, expected] of [
    [false, 0],
    [true, 1],
  ] as const) {
    const host = await createHost({ ...options, dialRule: dialRule([], { allowPrivate }) })
    await host.start()
    const address = multiaddr(`/dns4/localhost/tcp/${port}/p2p/${peerId}`)
    await expect(host.dial(address)).rejects.toThrow()
    expect(connections).toBe(expected)
    await host.stop()
  }
  await new Promise((done) => server.close(done))
})
