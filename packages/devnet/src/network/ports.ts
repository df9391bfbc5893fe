import { createServer, type Server } from 'node:net'

const blockSize = 200
const firstBase = 24_600
const lastBase = 60_000

/** The ports of one network, all from one block so that a data dir keeps its URLs from start to start. */
export interface Ports extends AsyncDisposable {
  base: number
  chain: number
  coreHttp(index: number): number
  coreP2p(index: number): number
  compute(index: number): number
}

export class PortsBusyError extends Error {
  readonly code = 'ports_busy'
}

/**
 * Takes a block of ports: `base` if given, else the first that is wholly free. The block's last port is held
 * open for as long as the network runs, so that two networks starting at once never choose the same.
 *
 * @throws {PortsBusyError} naming the port in the way
 */
export async function takePorts(
  base: number | undefined,
  coreNodes: number,
  computeNodes: number,
): Promise<Ports> {
  if (base !== undefined) return takeBlock(base, coreNodes, computeNodes)
  for (let candidate = firstBase; candidate < lastBase; candidate += blockSize) {
    try {
      return await takeBlock(candidate, coreNodes, computeNodes)
    } catch (error) {
      if (!(error instanceof PortsBusyError)) throw error
    }
  }
  throw new PortsBusyError(
    `No free block of ports from ${firstBase} to ${lastBase}; name one with --port-base.`,
  )
}

async function takeBlock(base: number, coreNodes: number, computeNodes: number): Promise<Ports> {
  const claim = await listen(base + blockSize - 1)
  const ports: Ports = {
    base,
    chain: base,
    coreHttp: (index) => base + 10 + index,
    coreP2p: (index) => base + 60 + index,
    compute: (index) => base + 110 + index,
    [Symbol.asyncDispose]: () => close(claim),
  }
  const needed = [ports.chain]
  for (let i = 0; i < coreNodes; i++) needed.push(ports.coreHttp(i), ports.coreP2p(i))
  for (let i = 0; i < computeNodes; i++) needed.push(ports.compute(i))
  try {
    for (const port of needed) await close(await listen(port))
    return ports
  } catch (error) {
    await close(claim)
    throw error
  }
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', () =>
      reject(
        new PortsBusyError(
          `Port ${port} is in use by another program. Free it, or choose others with --port-base.`,
        ),
      ),
    )
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
