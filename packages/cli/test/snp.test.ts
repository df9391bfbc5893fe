import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { evmAddress, itemHash, signEnvelope } from '@aleph-ts/protocol'
import { type FakeAmd, FakeSnpGuest, fakeAmd, measurement } from '@aleph-ts/sdk/testing'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FakeNetwork } from './fake-network.ts'
import { CliUser } from './run-cli.ts'

const hash = 'ab'.repeat(32)
const privateKey = new Uint8Array(32).fill(0x11)
let amd: FakeAmd
let stranger: FakeAmd
let user: CliUser
let network: FakeNetwork
let guest: FakeSnpGuest
let keyServer: Server
/** Whose certificates the key server has. */
let served: FakeAmd
/** Paths the key server was asked for. */
let asked: string[]

beforeAll(() => {
  amd = fakeAmd()
  stranger = fakeAmd()
})
beforeEach(async () => {
  user = await CliUser.create()
  network = await FakeNetwork.create()
  guest = await FakeSnpGuest.start(amd)
  network.forwarded = { '8443': guest.port }
  served = amd
  asked = []
  keyServer = createServer((request, response) => {
    asked.push(request.url!)
    response.end(request.url!.endsWith('/cert_chain') ? served.chain : served.vcek)
  })
  await new Promise<void>((resolve) => keyServer.listen(0, '127.0.0.1', resolve))
  await writeFile(join(user.folder, 'passphrase'), 'open sesame\n')
})
afterEach(async () => {
  await user[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
  await guest[Symbol.asyncDispose]()
  keyServer.close()
})

async function run(...args: string[]) {
  const env = { ALEPH_NETWORK: network.url, ALEPH_PRIVATE_KEY: '11'.repeat(32) }
  return user.run([...args, '--json'], { env })
}

/** Publishes an instance whose message says what its guest measures to. */
function createInstance(launch = measurement.toString('hex')): string {
  const sender = evmAddress(privateKey)
  const content = {
    address: sender,
    time: 1_700_000_000,
    allow_amend: false,
    environment: {
      hypervisor: 'qemu',
      internet: true,
      trusted_execution: {
        mode: 'sev_snp',
        policy: 0x30000,
        runtime: hash,
        measurements: [{ platform: 'sev_snp', registers: { launch } }],
      },
    },
    resources: { vcpus: 1, memory: 2048, seconds: 30 },
    payment: { chain: 'ETH', type: 'credit' },
    rootfs: { parent: { ref: hash, use_latest: true }, persistence: 'host', size_mib: 20_480 },
    volumes: [],
  }
  const item_content = JSON.stringify(content)
  const item_hash = itemHash(item_content)
  const message = {
    type: 'INSTANCE',
    item_type: 'inline',
    item_content,
    item_hash,
    time: content.time,
  } as const
  const envelope = signEnvelope({ ...message, sender, chain: 'ETH', channel: 'TEST' }, privateKey)
  network.messages.push({ ...envelope, content })
  return item_hash
}

/** A subcommand for an instance, asking the certificates of the test's own processors. */
async function confidential(subcommand: string, instance: string, ...args: string[]) {
  const server = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}`
  return run('instance', 'confidential', subcommand, instance, '--key-server', server, ...args)
}

describe('aleph instance confidential, with SEV-SNP', () => {
  it('has the guest prove what it is, where its compute node forwards its port', async () => {
    const instance = createInstance()
    const attested = await confidential('attest', instance, '--amd-root', amd.root)
    expect(attested.json()).toMatchObject({
      item_hash: instance,
      url: guest.url,
      measurement: measurement.toString('hex'),
      policy: '0x30000',
    })
    expect(guest.received).toEqual([])
    expect(asked[0]).toBe('/vcek/v1/Milan/cert_chain')
  })

  it('hands the passphrase to a guest that proved itself', async () => {
    const instance = createInstance()
    const secret = ['--secret-file', 'passphrase']
    const started = await confidential('start', instance, '--amd-root', amd.root, ...secret)
    expect(started.json()).toMatchObject({ item_hash: instance, running: true })
    expect(guest.received).toEqual(['{"luks_passphrase":"open sesame"}'])
  })

  it.each([
    ['its processor is none of AMD’s', undefined, () => [], 'chain_untrusted'],
    [
      'it runs something else than its message says',
      '00'.repeat(48),
      () => ['--amd-root', amd.root],
      'measurement_mismatch',
    ],
  ])('hands over nothing when %s', async (_why, launch, options, code) => {
    const instance = createInstance(launch)
    const started = await confidential('start', instance, '--secret-file', 'passphrase', ...options())
    expect(started.code).not.toBe(0)
    expect(started.json()).toMatchObject({ error: { code } })
    expect(guest.received).toEqual([])
  })

  it('hands over nothing when the chip is another than the key server’s', async () => {
    const instance = createInstance()
    served = stranger
    const options = ['--amd-root', stranger.root, '--secret-file', 'passphrase']
    expect((await confidential('start', instance, ...options)).json()).toMatchObject({
      error: { code: 'signature_invalid' },
    })
    expect(guest.received).toEqual([])
  })

  it('says what to do when nobody tells where the guest answers, and takes its address', async () => {
    const instance = createInstance()
    network.forwarded = { '22': 24_000 }
    expect((await confidential('attest', instance)).json()).toMatchObject({
      error: { code: 'guest_unknown', hint: expect.stringContaining('Forward its port 8443') },
    })
    const attested = await confidential('attest', instance, '--amd-root', amd.root, '--url', guest.url)
    expect(attested.code).toBe(0)
  })

  it('takes no root key that is none', async () => {
    const answer = await confidential('attest', hash, '--amd-root', 'amd')
    expect([answer.code, answer.stderr + answer.stdout]).toEqual([
      2,
      expect.stringContaining('64 lower-case hex digits'),
    ])
  })
})
