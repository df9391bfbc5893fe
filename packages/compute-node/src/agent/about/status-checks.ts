import { lookup, resolve4, resolve6 } from 'node:dns/promises'
import { connect } from 'node:net'

const PROBE_TIMEOUT_MS = 2_000
const PROGRAM_TIMEOUT_MS = 20_000
/** Public resolvers that answer everywhere, one per family. */
const egressTargets = { ipv4: '9.9.9.9', ipv6: '2620:fe::fe' } as const

export type ProgramCheck = Record<string, boolean>

const needed = ['index', 'environ', 'ipv4', 'internet', 'dns', 'error_handling', 'lifespan']
const environmentNames = [
  'ALEPH_API_HOST',
  'ALEPH_API_UNIX_SOCKET',
  'ALEPH_REMOTE_CRYPTO_HOST',
  'ALEPH_REMOTE_CRYPTO_UNIX_SOCKET',
  'ALEPH_ADDRESS_TO_USE',
]

/**
 * Runs the network's diagnostic program through the node's own door and says what of it works
 * (protocol 05 §16). `legacy` leaves out what old runtimes cannot do.
 */
export async function checkDiagnosticProgram(
  nodeUrl: string,
  hash: string,
  legacy: boolean,
): Promise<{ healthy: boolean; result: ProgramCheck }> {
  const call = async (path: string) => {
    const response = await fetch(`${nodeUrl}/vm/${hash}${path}`, {
      signal: AbortSignal.timeout(PROGRAM_TIMEOUT_MS),
    })
    return { status: response.status, text: await response.text() }
  }
  const json = async (path: string) => JSON.parse((await call(path)).text)
  const counter = async () => Number(/\d+/.exec((await call('/state/increment')).text)?.[0])
  const checks: Record<string, () => Promise<boolean>> = {
    index: async () => (await json('/')).Example === 'example_fastapi',
    environ: async () => {
      const environment = await json('/environ')
      return environmentNames.every((name) => name in environment)
    },
    messages: async () => Array.isArray((await json('/messages')).Messages ?? (await json('/messages'))),
    dns: async () => {
      const addresses = await json('/dns')
      return Boolean(addresses.ipv4 && addresses.ipv6)
    },
    ipv4: async () => (await json('/ip/4')).result === true,
    internet: async () => {
      const { result } = await json('/internet')
      return result === true || (Number.isInteger(result) && result < 400)
    },
    cache: async () => {
      const set = await json('/cache/set/a/42')
      return set === true && (await json('/cache/get/a')) === '42' && Array.isArray(await json('/cache/keys'))
    },
    persistent_storage: async () => {
      const first = await counter()
      return (await counter()) === first + 1
    },
    error_handling: async () => {
      const { status, text } = await call('/raise')
      return status === 500 && text.includes('Traceback')
    },
    get_a_message: async () => (await call('/get_a_message')).status === 200,
    lifespan: async () => (await json('/lifespan')).Lifespan === true,
  }
  const names = Object.keys(checks).filter((name) => !legacy || !['get_a_message', 'lifespan'].includes(name))
  // The first call starts the program; the rest then finds it running.
  const result: ProgramCheck = {}
  for (const name of names) result[name] = await (checks[name] as () => Promise<boolean>)().catch(() => false)
  return { healthy: needed.every((name) => result[name] ?? legacy), result }
}

/** `GET /status/check/host`: what the host itself reaches (protocol 05 §16). */
export async function checkHost(domainName: string) {
  const [ipv4, ipv6] = await Promise.all([checkFamily(4, domainName), checkFamily(6, domainName)])
  const required = [ipv4, ipv6].flatMap(({ egress, dns, domain }) => [egress, dns, domain])
  return { healthy: required.every(Boolean), result: { ipv4, ipv6 } }
}

/** Whether the host reaches the IPv6 internet. */
export function reachesIpv6(): Promise<boolean> {
  return reaches(egressTargets.ipv6, 53)
}

async function checkFamily(family: 4 | 6, domainName: string) {
  const resolve = family === 4 ? resolve4 : resolve6
  const [egress, dns, domain] = await Promise.all([
    reaches(family === 4 ? egressTargets.ipv4 : egressTargets.ipv6, 53),
    succeeds(resolve('example.org')),
    succeeds(lookup(domainName, { family })),
  ])
  return { egress, dns, domain, http: domain && (await reaches(domainName, 443, family)) }
}

function reaches(host: string, port: number, family?: 4 | 6): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, family, timeout: PROBE_TIMEOUT_MS })
    const end = (reached: boolean) => {
      socket.destroy()
      resolve(reached)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  const timeout = new Promise<boolean>((resolve) => setTimeout(resolve, PROBE_TIMEOUT_MS, false).unref())
  return Promise.race([
    work.then(
      () => true,
      () => false,
    ),
    timeout,
  ])
}
