import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AgentMetrics } from '../metrics.ts'
import { EgressProxy } from './egress-proxy.ts'

const vms = { list: () => [] } as unknown as ConstructorParameters<typeof AgentMetrics>[0]
const logger = pino({ level: 'silent' })
let target: Server
let port = 0

beforeAll(async () => {
  target = createServer((request, response) =>
    response.end(`${request.method} ${request.url} ${request.headers.host}`),
  )
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  port = (target.address() as AddressInfo).port
})
afterAll(() => {
  target.closeAllConnections()
  target.close()
})

function guestStream(isAllowed?: (address: string) => boolean): Duplex {
  const [guest, host] = duplexPair()
  new EgressProxy({ logger, metrics: new AgentMetrics(vms), isAllowed }).handle('vm', host)
  return guest
}

async function exchange(request: string, isAllowed?: (address: string) => boolean): Promise<string> {
  const guest = guestStream(isAllowed)
  guest.write(request)
  return text(guest)
}

const everything = () => true

describe('a guest’s way out', () => {
  test('passes plain requests to their server', async () => {
    const request = `GET http://localhost:${port}/a?b=1 HTTP/1.1\r\nHost: localhost\r\nProxy-Connection: close\r\nConnection: close\r\n\r\n`
    expect(await exchange(request, everything)).toContain('GET /a?b=1 localhost')
  })

  test('tunnels with CONNECT', async () => {
    const guest = guestStream(everything)
    guest.write(`CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    expect(String((await once(guest, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /)
    guest.write('GET /through HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(await text(guest)).toContain('GET /through x')
  })

  test.each([
    '127.0.0.1',
    'localhost',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
    '0.0.0.0',
    '10.0.0.1',
  ])('does not lead to %s', async (host) => {
    const tunnel = await exchange(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect(tunnel).toMatch(/^HTTP\/1.1 403 /)
    const plain = await exchange(
      `GET http://${host}:${port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    )
    expect(plain).toMatch(/^HTTP\/1.1 403 /)
  })

  test('does not deliver mail', async () => {
    expect(await exchange('CONNECT 1.1.1.1:25 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 403 /)
  })

  test('does not connect when the checked name leads elsewhere at last', async () => {
    let asked = 0
    const answer = await exchange(
      `CONNECT localhost:${port} HTTP/1.1\r\nHost: x\r\n\r\n`,
      () => asked++ === -1,
    )
    expect(answer).toMatch(/^HTTP\/1.1 403 /)
  })

  test.each([
    'CONNECT nonsense HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /relative HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  ])('refuses what is no proxy request', async (request) =>
    expect(await exchange(request, everything)).toMatch(/^HTTP\/1.1 400 /),
  )

  test('says so when nobody answers there', async () => {
    const answer = await exchange('CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n', everything)
    expect(answer).toMatch(/^HTTP\/1.1 502 /)
  })

  test('is not open without limit', async () => {
    const proxy = new EgressProxy({ logger, metrics: new AgentMetrics(vms) })
    const guests = Array.from({ length: 129 }, () => {
      const [guest, host] = duplexPair()
      proxy.handle('vm', host)
      return guest
    })
    expect(await text(guests.at(-1)!)).toMatch(/^HTTP\/1.1 503 /)
    proxy.close()
  })
})
