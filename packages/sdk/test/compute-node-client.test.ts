import { webcrypto } from 'node:crypto'
import { recoverPersonalSign, sha256Hex } from '@aleph-ts/protocol'
import { expect, it } from 'vitest'
import { ComputeNodeClient, EthereumAccount } from '../src/index.ts'
import { FakeNode, json } from './fake-node.ts'

const account = EthereumAccount.fromPrivateKey('44'.repeat(32))
const hash = 'ef'.repeat(32)

it('proves to the node that the owner asks for the log', async () => {
  await using node = await FakeNode.create({
    [`GET /control/machine/${hash}/logs`]: json(200, [
      { SYSLOG_IDENTIFIER: `vm-${hash}-stdout`, MESSAGE: 'hello', file: 'stdout' },
      { MESSAGE: 'oops', file: 'stderr', __REALTIME_TIMESTAMP: '2026-01-01' },
    ]),
  })
  const client = new ComputeNodeClient(node.url, { account })
  expect(await client.getLogs(hash)).toEqual([
    { stream: 'stdout', text: 'hello', time: null },
    { stream: 'stderr', text: 'oops', time: '2026-01-01' },
  ])

  const { headers } = node.seen[0]!
  const session = JSON.parse(String(headers['x-signedpubkey'])) as Signed
  const operation = JSON.parse(String(headers['x-signedoperation'])) as Signed
  const sessionBytes = Buffer.from(session.payload, 'hex')
  expect(recoverPersonalSign(sessionBytes, session.signature)).toBe(account.address)
  const { pubkey, address, chain, expires } = JSON.parse(sessionBytes.toString())
  expect({ address, chain }).toEqual({ address: account.address, chain: 'ETH' })
  expect(Date.parse(expires)).toBeGreaterThan(Date.now())
  const operationBytes = Buffer.from(operation.payload, 'hex')
  expect(JSON.parse(operationBytes.toString())).toMatchObject({
    method: 'GET',
    path: `/control/machine/${hash}/logs`,
    domain: 'localhost',
  })
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const key = await webcrypto.subtle.importKey('jwk', pubkey, algorithm, false, ['verify'])
  const signature = Buffer.from(operation.signature, 'hex')
  expect(await webcrypto.subtle.verify(algorithm, key, signature, operationBytes)).toBe(true)
})

it('signs the query and the body of an operation, and a nonce that no other operation has', async () => {
  await using node = await FakeNode.create({
    'POST /control/machine/': json(200, { status: { running: true } }),
  })
  const client = new ComputeNodeClient(node.url, { account })
  await client.operate(hash, 'reinstall', { keepVolumes: true })
  await client.injectSecret(hash, { packetHeader: 'aa', secret: 'bb' })
  const [reinstall, inject] = node.seen.map(({ headers }) => {
    const { payload } = JSON.parse(String(headers['x-signedoperation'])) as Signed
    return JSON.parse(Buffer.from(payload, 'hex').toString())
  })
  expect(reinstall).toMatchObject({
    query: 'erase_volumes=false',
    nonce: expect.stringMatching(/^[\w-]{36}$/),
  })
  const body = '{"packet_header":"aa","secret":"bb"}'
  expect(inject).toMatchObject({ query: '', body_sha256: sha256Hex(body) })
  expect(inject.nonce).not.toBe(reinstall.nonce)
})

it('asks the wallet once for many operations', async () => {
  await using node = await FakeNode.create({ 'POST /control/machine/': json(200, {}) })
  let asked = 0
  const counting = {
    chain: account.chain,
    address: account.address,
    signMessage: account.signMessage.bind(account),
    signOperatorPayload(payload: Uint8Array) {
      asked++
      return account.signOperatorPayload(payload)
    },
  }
  const client = new ComputeNodeClient(node.url, { account: counting })
  await client.operate(hash, 'stop')
  await client.operate(hash, 'reboot')
  expect(asked).toBe(1)
  expect(node.seen.map(({ url }) => url)).toEqual([
    `/control/machine/${hash}/stop`,
    `/control/machine/${hash}/reboot`,
  ])
})

it('reads the usage and the list of VMs without an account, and says who may read logs', async () => {
  await using node = await FakeNode.create({
    'GET /about/usage/system': json(200, {
      cpu: { count: 2 },
      mem: { total_kB: 10, available_kB: 5 },
      disk: { total_kB: 10, available_kB: 5 },
    }),
    'GET /v2/about/executions/list': json(200, { [hash]: { running: true, vm_type: 'microvm' } }),
  })
  const client = new ComputeNodeClient(node.url)
  expect((await client.getUsage()).cpu.count).toBe(2)
  expect((await client.listExecutions())[hash]?.running).toBe(true)
  await expect(client.getLogs(hash)).rejects.toMatchObject({ code: 'account_required' })
})

interface Signed {
  payload: string
  signature: string
}
