import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP link to somebody's port that can be cut and mended. */
export class CuttableLink {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isCut = false

  private constructor(targetPort: number) {
    this.#server = createServer((near) => {
      if (this.#isCut) {
        near.destroy()
        return
      }
      const far = connect(targetPort, '127.0.0.1')
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket)
        socket.on('error', () => socket.destroy())
        socket.on('close', () => {
          this.#sockets.delete(socket)
          other.destroy()
        })
      }
      near.pipe(far).pipe(near)
    })
  }

  /** @param multiaddr of a node that listens on 127.0.0.1 */
  static async to(multiaddr: string): Promise<{ link: CuttableLink; multiaddr: string }> {
    const port = /\/tcp\/(\d+)/.exec(multiaddr)![1]!
    const link = new CuttableLink(Number(port))
    link.#server.listen(0, '127.0.0.1')
    await once(link.#server, 'listening')
    const own = (link.#server.address() as AddressInfo).port
    return { link, multiaddr: multiaddr.replace(`/tcp/${port}`, `/tcp/${own}`) }
  }

  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#isCut = false
  }

  stop(): void {
    this.cut()
    this.#server.close()
  }
}
