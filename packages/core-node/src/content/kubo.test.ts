import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Kubo } from './kubo.ts'

const cid = 'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH'
const never = new AbortController().signal
let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** A stub of the RPC, and what it was asked. */
async function startKubo(
  answer: RequestListener,
  options: { stallMs?: number } = {},
): Promise<{ kubo: Kubo; asked: string[] }> {
  const asked: string[] = []
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { kubo: new Kubo({ url, ...options }), asked }
}

async function collect(kubo: Kubo): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of kubo.exportCar(cid, never)) parts.push(part)
  return Buffer.concat(parts).toString()
}

test('a DAG is exported by the RPC that Kubo has for it', async () => {
  const { kubo, asked } = await startKubo((_request, response) => response.end('a CAR'))
  expect(await collect(kubo)).toBe('a CAR')
  expect(asked).toEqual([`POST /api/v0/dag/export?arg=${cid}&progress=false`])
})

for (const [what, answer] of Object.entries<RequestListener>({
  'does not know the CID': (_request, response) => response.writeHead(500).end(),
  'searches for ever': () => {},
  'stops half way': (_request, response) => void response.write('half'),
  'drops the connection': (_request, response) => response.destroy(),
})) {
  test(`a Kubo that ${what} fails the read, in time`, async () => {
    const { kubo } = await startKubo(answer, { stallMs: 200 })
    await expect(collect(kubo)).rejects.toThrow()
  })
}
