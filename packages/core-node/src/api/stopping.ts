import type { FastifyInstance } from 'fastify'

/** Requests under way when the node stops may take so long, ms; then their connections are cut. */
const requestPatienceMs = 10_000
/** Clients have so long to answer that a WebSocket closes, ms. */
const socketPatienceMs = 2_000
/** Close code of RFC 6455. */
const goingAway = 1001

/** WebSockets are told that the node goes away; those who do not answer are cut off. */
export async function closeSockets(this: FastifyInstance): Promise<void> {
  const { clients } = this.websocketServer
  for (const client of clients) client.close(goingAway, 'The node is stopping')
  setTimeout(() => {
    for (const client of clients) client.terminate()
  }, socketPatienceMs).unref()
}

/** Nobody keeps the node from stopping by reading slowly. */
export function cutSlowRequests(server: FastifyInstance): void {
  server.addHook('preClose', async () => {
    setTimeout(() => server.server.closeAllConnections(), requestPatienceMs).unref()
  })
}
