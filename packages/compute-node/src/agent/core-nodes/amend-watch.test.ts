import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { AmendWatch } from './amend-watch.ts'
import { CoreNodes } from './core-nodes.ts'

const waiting = { timeout: 20_000 }

async function serve(answer: RequestListener) {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function watch(servers: string[]) {
  const amends: string[] = []
  const logger = pino({ level: 'silent' })
  const amendWatch = new AmendWatch({
    coreNodes: new CoreNodes({ servers, logger }),
    wanted: () => new Set(['a', 'b']),
    onAmend: (ref) => amends.push(ref),
    logger,
  })
  amendWatch.start()
  return { amends, [Symbol.dispose]: () => amendWatch.stop() }
}

const event = (id: number, ref: string) => `id: ${id}\nevent: message\ndata: {"content":{"ref":"${ref}"}}\n\n`

test('amends are heard from the first core node that has events', async () => {
  await using without = await serve((_request, response) => response.writeHead(404).end())
  await using core = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(
      `:\n\n${event(1, 'a')}${event(2, 'unasked')}data: no json\n\n${event(3, 'b').slice(0, 20)}`,
    )
    setTimeout(() => response.write(event(3, 'b').slice(20)), 10)
  })
  using heard = watch([without.url, core.url])
  await vi.waitFor(() => expect(heard.amends).toEqual(['a', 'b']), waiting)
})

test('a stream that breaks goes on after the last event', async () => {
  const asked: (string | null)[] = []
  await using core = await serve((request, response) => {
    const query = new URL(request.url ?? '/', 'http://core').searchParams
    asked.push(query.get('lastEventId'))
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(event(asked.length, 'a'), () => asked.length === 1 && response.destroy())
  })
  using heard = watch([core.url])
  await vi.waitFor(() => expect(heard.amends).toEqual(['a', 'a']), waiting)
  expect(asked).toEqual([null, '1'])
})
