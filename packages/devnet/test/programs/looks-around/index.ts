import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'

const hosts = ['127.0.0.1', '10.0.2.2', '172.17.0.1', '192.168.0.1', '169.254.169.254', '1.1.1.1']

/** Tells what a guest sees of a network, and which hosts let it connect to a port. */
export default async (request: Request): Promise<Response> => {
  const port = Number(new URL(request.url).searchParams.get('port'))
  const answers = await Promise.all(
    hosts.map(async (host) => ((await doesConnect(host, port)) ? [host] : [])),
  )
  return Response.json({ interfaces: Object.keys(networkInterfaces()), reached: answers.flat() })
}

function doesConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2_000 })
    const end = (reached: boolean) => {
      socket.destroy()
      resolve(reached)
    }
    socket
      .on('connect', () => end(true))
      .on('error', () => end(false))
      .on('timeout', () => end(false))
  })
}
