import type { Output } from '../terminal/output.ts'
import { printable } from '../terminal/printable.ts'

/** One thing that was looked at. */
export interface Check {
  name: string
  ok: boolean
  detail: string
}

const timeoutMs = 10_000
const mostBytes = 256 * 1024

/** Looks at a compute node as scoring and schedulers do (protocol 06 §4.1, 05 §16). */
export async function inspectComputeNode(
  url: string,
  streamReward: string,
  signal: AbortSignal,
): Promise<Check[]> {
  const login = await ask(`${url}/about/login`, signal)
  const reachable = check('answers', login.status !== null, login.problem ?? `${url} answers`)
  if (!reachable.ok) return [reachable]
  const [usage, config] = await Promise.all([
    ask(`${url}/about/usage/system`, signal),
    ask(`${url}/status/config`, signal),
  ])
  const receiver = (config.json as { payment?: { PAYMENT_RECEIVER_ADDRESS?: unknown } } | null)?.payment
    ?.PAYMENT_RECEIVER_ADDRESS
  return [
    reachable,
    check(
      'is a compute node',
      login.status === 401,
      `/about/login answers ${login.status}, it should be 401`,
    ),
    check('tells its version', /^aleph-vm\/\S+/.test(login.server), `Server: ${login.server || 'no header'}`),
    check('tells its capacity', usage.status === 200 && usage.json !== null, '/about/usage/system'),
    check(
      'streams reach its owner',
      typeof receiver !== 'string' || receiver.toLowerCase() === streamReward.toLowerCase(),
      `the node expects streams to ${String(receiver ?? 'nobody')}, the registry says ${streamReward || 'nobody'}`,
    ),
  ]
}

/** Looks at a core node as scoring does (protocol 06 §4.1). */
export async function inspectCoreNode(
  url: string,
  multiaddress: string,
  signal: AbortSignal,
): Promise<Check[]> {
  const info = await ask(`${url}/api/v0/info/public.json`, signal)
  const reachable = check('answers', info.status === 200, info.problem ?? `${url} answers ${info.status}`)
  if (!reachable.ok) return [reachable]
  const metrics = await ask(`${url}/metrics.json`, signal)
  const values = (metrics.json ?? {}) as Record<string, unknown>
  const behind = values.pyaleph_status_chain_eth_height_remaining_total
  const addresses = (info.json as { node_multi_addresses?: unknown } | null)?.node_multi_addresses
  const peer = multiaddress.split('/p2p/')[1] ?? ''
  return [
    reachable,
    check('serves metrics', metrics.status === 200, `/metrics.json answers ${metrics.status}`),
    check(
      'follows the chain',
      typeof behind !== 'number' || behind < 100,
      typeof behind === 'number' ? `${behind} blocks behind` : 'it does not tell',
    ),
    check(
      'is the peer it is registered as',
      Array.isArray(addresses) &&
        peer !== '' &&
        addresses.some((each) => String(each).endsWith(`/p2p/${peer}`)),
      `registered as ${peer || 'no peer'}`,
    ),
  ]
}

/** The checks for people, one a line. */
export function checksText(checks: readonly Check[], output: Output): string {
  return checks
    .map(({ name, ok, detail }) => {
      const mark = ok ? output.style('green', '✓') : output.style('red', '✗')
      return ok ? `${mark} ${name}` : `${mark} ${name}: ${printable(detail, 200)}`
    })
    .join('\n')
}

function check(name: string, ok: boolean, detail: string): Check {
  return { name, ok, detail }
}

interface Answer {
  status: number | null
  server: string
  json: unknown
  problem: string | null
}

async function ask(url: string, signal: AbortSignal): Promise<Answer> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const response = await fetch(url, { signal: limit, redirect: 'manual' })
    const { status, headers } = response
    return { status, server: headers.get('server') ?? '', json: await readJson(response), problem: null }
  } catch (error) {
    signal.throwIfAborted()
    const { cause, message } = error as { cause?: { code?: string }; message: string }
    return { status: null, server: '', json: null, problem: `${url}: ${cause?.code ?? message}` }
  }
}

/** What a node says of itself is short; a longer answer is none. */
async function readJson(response: Response): Promise<unknown> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > mostBytes) return null
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString())
  } catch {
    return null
  }
}
