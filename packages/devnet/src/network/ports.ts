import { createServer } from 'node:net'

const blockSize = 200
const firstBase = 24_600
const lastBase = 60_000

/** The ports of one network, all from one block so that a data dir keeps its URLs from start to start. */
export interface Ports {
  base: number
  chain: number
  coreHttp(index: number): number
  coreP2p(index: number): number
  compute(index: number): number
}

export function portsFrom(base: number): Ports {
  return {
    base,
    chain: base,
    coreHttp: (index) => base + 10 + index,
    coreP2p: (index) => base + 60 + index,
    compute: (index) => base + 110 + index,
  }
}

/** The first block of which every needed port is free on loopback. */
export async function findFreeBase(coreNodes: number, computeNodes: number): Promise<number> {
  for (let base = firstBase; base < lastBase; base += blockSize) {
    if ((await busyPort(portsFrom(base), coreNodes, computeNodes)) === undefined) return base
  }
  throw new Error(`No free block of ports between ${firstBase} and ${lastBase}; name one with --port-base.`)
}

/** A port of the block that something else listens on, if any. */
export async function busyPort(
  ports: Ports,
  coreNodes: number,
  computeNodes: number,
): Promise<number | undefined> {
  const needed = [ports.chain]
  for (let i = 0; i < coreNodes; i++) needed.push(ports.coreHttp(i), ports.coreP2p(i))
  for (let i = 0; i < computeNodes; i++) needed.push(ports.compute(i))
  for (const port of needed) if (!(await isFree(port))) return port
  return undefined
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
