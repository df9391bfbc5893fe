import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { VmInfo } from '../../supervisor/index.ts'
import type { VmHost } from '../vm-host.ts'
import { InstanceWeb } from './instance-web.ts'

let server: Server

beforeAll(async () => {
  server = createServer((_request, response) => response.end('page of the instance'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => server.close())

/** An instance whose port 80 is the server above, or which has none. */
function web(forwarded: boolean, state: VmInfo['state'] = 'running'): InstanceWeb {
  const { port } = server.address() as AddressInfo
  const forwards = forwarded ? [{ host: port, guest: 80, tcp: true, udp: false }] : []
  const info = { type: 'instance', state, forwards } as unknown as VmInfo
  return new InstanceWeb({ get: () => info } as unknown as VmHost, '127.0.0.1')
}

test('without a link, an instance is found at its forwarded port', async () => {
  const outgoing = request({ agent: web(true).acquire('hash').connections, path: '/' }).end()
  const [response] = await once(outgoing, 'response')
  expect(await text(response)).toBe('page of the instance')
})

test('one that forwards no port 80 says how to mend that', () => {
  expect(() => web(false).acquire('hash')).toThrow('port-forwarding aggregate')
})

test('one that does not run is nobody’s to show', () => {
  expect([web(true).has('hash'), web(true, 'stopped').has('hash')]).toEqual([true, false])
})

test('any port of it is found the same way, if it is forwarded', () => {
  const { port } = server.address() as AddressInfo
  expect(web(true).placeOf('hash', 80)).toEqual({ host: '127.0.0.1', port })
  expect(web(true).placeOf('hash', 443)).toBeNull()
  expect(web(true, 'stopped').placeOf('hash', 80)).toBeNull()
})
