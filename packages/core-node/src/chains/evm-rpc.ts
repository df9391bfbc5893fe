import { type AbiEvent, BaseError, createPublicClient, HttpRequestError, http, RpcRequestError } from 'viem'
import { type BlockMark, ChainSourceError } from './chain-source.ts'
import { endpointUrls } from './json-endpoint.ts'

const maxResponseBytes = 64 * 1024 * 1024

/** What a question to a contract may burn: much more than any signature check, less than what endpoints allow. */
const callGas = '0x989680'
/** How nodes say that the code itself failed, for which there is no one error code. */
const codeFailed = /revert|evm error|opcode|out ?of ?gas|jump destination|stack (under|over)flow|\(3\)$/i

export interface EvmRpcConfig {
  /**
   * `http:` or `https:`, or several with commas between them, of which the next is asked when one is out of reach. May
   * hold an API key, so it never appears in errors.
   */
  rpcUrl: string
  /** The chain that must answer, such as 1 for Ethereum. */
  evmChainId: number
  /** Longest wait for one whole answer, ms; default 20,000. */
  timeoutMs?: number
}

/** The few questions a log reader asks an EVM node, with every way of failing sorted into `ChainSourceError`. */
export class EvmRpc {
  readonly evmChainId: number
  readonly #clients: ReturnType<typeof createPublicClient>[]
  readonly #closing = new AbortController()
  readonly #urls: string[]
  #current = 0
  #chainChecked = false

  constructor(config: EvmRpcConfig) {
    this.#urls = endpointUrls(config.rpcUrl)
    if (this.#urls.length === 0) {
      throw new ChainSourceError('unreachable', 'rpcUrl: give http:// or https:// addresses')
    }
    this.evmChainId = config.evmChainId
    const timeoutMs = config.timeoutMs ?? 20_000
    this.#clients = this.#urls.map((url) => {
      const transport = http(url, {
        // The reader decides itself when to ask again, and how much.
        retryCount: 0,
        // Ours below covers the body too, not only the wait for it.
        timeout: 0,
        maxResponseBodySize: maxResponseBytes,
        fetchFn: (input, init) =>
          fetch(input, {
            ...init,
            signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(timeoutMs)]),
          }),
      })
      return createPublicClient({ transport, cacheTime: 0 })
    })
  }

  async head(): Promise<BlockMark> {
    await this.#checkChain()
    const block = await this.#ask('eth_getBlockByNumber', () =>
      this.#client.request({ method: 'eth_getBlockByNumber', params: ['latest', false] }),
    )
    if (!block) throw new ChainSourceError('unreachable', 'eth_getBlockByNumber: the node has no block yet')
    return markOf(block)
  }

  async block(number: number): Promise<BlockMark | undefined> {
    const block = await this.#ask('eth_getBlockByNumber', () =>
      this.#client.request({ method: 'eth_getBlockByNumber', params: [`0x${number.toString(16)}`, false] }),
    )
    return block ? markOf(block) : undefined
  }

  /** Time of a block, epoch seconds. */
  async blockTime(number: number): Promise<number> {
    const block = await this.#ask('eth_getBlockByNumber', () =>
      this.#client.request({ method: 'eth_getBlockByNumber', params: [`0x${number.toString(16)}`, false] }),
    )
    if (!block)
      throw new ChainSourceError('unreachable', `eth_getBlockByNumber: the node lacks block ${number}`)
    return Number(block.timestamp)
  }

  /** Logs of one event of one contract, decoded, maybe only those with certain `args`; logs of another shape under the same name are left out. */
  async logs<const Event extends AbiEvent>(query: {
    address: `0x${string}`
    event: Event
    args?: Record<string, unknown>
    from: number
    to: number
  }) {
    return await this.#ask('eth_getLogs', () =>
      this.#client.getLogs({
        address: query.address,
        event: query.event,
        args: query.args as never,
        fromBlock: BigInt(query.from),
        toBlock: BigInt(query.to),
        strict: true,
      }),
    )
  }

  /**
   * What a contract returns, or, without `to`, what creation code does; nothing is changed on the chain.
   *
   * @param query `data` in hex with 0x; `block`: the height whose state is asked
   * @returns hex with 0x (`0x` where there is no contract), null when the code ran and failed
   */
  async call(query: { to?: string; data: string; block: number }): Promise<string | null> {
    await this.#checkChain()
    const transaction = { ...(query.to ? { to: query.to } : {}), data: query.data, gas: callGas }
    try {
      return await this.#ask('eth_call', () =>
        this.#client.request({
          method: 'eth_call',
          params: [transaction as never, `0x${query.block.toString(16)}`],
        }),
      )
    } catch (error) {
      if (error instanceof ChainSourceError && error.code === 'refused' && codeFailed.test(error.message)) {
        return null
      }
      throw error
    }
  }

  close(): void {
    this.#closing.abort()
  }

  /** Once for each connection: an endpoint for another chain would fill the tables with its events. */
  async #checkChain(): Promise<void> {
    if (this.#chainChecked) return
    const found = await this.#ask('eth_chainId', () => this.#client.getChainId())
    if (found !== this.evmChainId) {
      throw new ChainSourceError(
        'wrong_chain',
        `The RPC endpoint answers for chain ${found}, not ${this.evmChainId}: set the URL of the right chain`,
      )
    }
    this.#chainChecked = true
  }

  get #client() {
    return this.#clients[this.#current]!
  }

  /** Asks the endpoint that answered last; when it is out of reach, the others in turn. */
  async #ask<Answer>(method: string, question: () => Promise<Answer>): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const asked = this.#current
      try {
        return await question()
      } catch (error) {
        const failure = this.#describeFailure(method, error)
        if (failure.code !== 'unreachable' || tries >= this.#clients.length) throw failure
        if (this.#current === asked) {
          this.#current = (asked + 1) % this.#clients.length
          this.#chainChecked = false
        }
        if (method !== 'eth_chainId') await this.#checkChain()
      }
    }
  }

  #describeFailure(method: string, error: unknown): ChainSourceError {
    if (this.#closing.signal.aborted) return new ChainSourceError('closed', `${method}: closed`)
    // Only texts that cannot hold the URL; the cause is left out as it does.
    let text = describe(error)
    for (const url of this.#urls) text = text.replaceAll(url, 'the endpoint')
    return new ChainSourceError(
      isOutage(error) ? 'unreachable' : 'refused',
      `${method}: ${text.slice(0, 500)}`,
    )
  }
}

function markOf(block: { number: `0x${string}` | null; hash: `0x${string}` | null }): BlockMark {
  if (block.number === null || block.hash === null) {
    throw new ChainSourceError('unreachable', 'eth_getBlockByNumber: the block has no number or hash')
  }
  return { number: Number(block.number), hash: block.hash.toLowerCase() }
}

/**
 * Providers refuse big questions in many words (-32005, -32602, -32000, HTTP 400, 413, silence), so every
 * answer that is an error counts as "ask for less", save those that say the question was not even read.
 */
function isOutage(error: unknown): boolean {
  const failure = findCause(error, HttpRequestError)
  if (failure) {
    const cause = failure.cause as { name?: string } | undefined
    if (cause?.name === 'TimeoutError') return false
    return failure.status === undefined || [401, 403, 404, 429, 502, 503, 504].includes(failure.status)
  }
  return /rate.?limit|too many requests|requests per second/i.test(describe(error))
}

function describe(error: unknown): string {
  const answer = findCause(error, RpcRequestError)
  if (answer) return `${answer.details} (${answer.code})`
  if (error instanceof BaseError) return [error.shortMessage, error.details].filter(Boolean).join(' ')
  return error instanceof Error ? error.message : String(error)
}

function findCause<Kind extends Error>(
  error: unknown,
  kind: new (...args: never[]) => Kind,
): Kind | undefined {
  for (let next = error; next instanceof Error; next = next.cause) {
    if (next instanceof kind) return next
  }
  return undefined
}
