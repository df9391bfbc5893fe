import { LocalChain } from '@aleph-ts/contracts/local-chain'
import { deploySuperfluid } from '@aleph-ts/contracts/superfluid'
import { requiredStreams, type StreamNetwork, streamsSuffice } from '@aleph-ts/protocol'
import { httpProvider, keyProvider, PaymentStreams, readStreamRate } from '@aleph-ts/sdk/streams'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const rates = requiredStreams([{ cost: '0.000015277777777777', sharesWithCommunity: true }])

let chain: LocalChain
let network: StreamNetwork
let streams: PaymentStreams
let payer: string
let receivers: { operator: string; community: string }
beforeAll(async () => {
  chain = await LocalChain.create()
  await chain.start()
  const [rich, operator, community] = chain.accounts
  const { rpcUrl } = chain
  const { superToken, forwarder } = await deploySuperfluid({ rpcUrl, privateKey: rich!.privateKey })
  network = { chain: 'AVAX', evmChainId: chain.chainId, superToken, forwarder }
  payer = rich!.address
  receivers = { operator: operator!.address, community: community!.address }
  const provider = keyProvider({ rpcUrl, privateKey: rich!.privateKey })
  streams = new PaymentStreams({ network, provider, payer })
})
afterAll(async () => {
  await chain?.stop()
})

/** What a node sees, over its own connection. */
async function seen() {
  const provider = httpProvider(chain.rpcUrl)
  const [operator, community] = await Promise.all(
    [receivers.operator, receivers.community].map((receiver) =>
      readStreamRate(provider, network, { payer, receiver }),
    ),
  )
  return { operator: operator!, community: community! }
}

describe('payment by streams through the real contracts of Superfluid', () => {
  test('opens a stream to the operator and one to the community, which a node sees', async () => {
    expect(await seen()).toEqual({ operator: 0n, community: 0n })
    expect(streamsSuffice(await seen(), rates)).toBe(false)
    await streams.add(rates, receivers)
    expect(await seen()).toEqual(rates)
    expect(streamsSuffice(await seen(), rates)).toBe(true)
  })

  test('adds a second machine to the streams, takes it out again, and closes them with the first', async () => {
    await streams.add(rates, receivers)
    expect(await seen()).toEqual({ operator: rates.operator * 2n, community: rates.community * 2n })
    await streams.remove(rates, receivers)
    expect(await seen()).toEqual(rates)
    await streams.remove(rates, receivers)
    expect(await seen()).toEqual({ operator: 0n, community: 0n })
    expect(await streams.set(receivers.operator, 0n)).toBeNull()
  })

  test('says why nothing flows from a payer who has nothing', async () => {
    const { privateKey, address } = chain.accounts[3]!
    const provider = keyProvider({ rpcUrl: chain.rpcUrl, privateKey })
    const poor = new PaymentStreams({ network, provider, payer: address })
    await expect(poor.add(rates, receivers)).rejects.toMatchObject({
      code: 'wallet_refused',
      hint: expect.stringContaining('deposit'),
    })
  })

  test('refuses another chain, and a chain without the contracts', async () => {
    const provider = httpProvider(chain.rpcUrl)
    const flow = { payer, receiver: receivers.operator }
    await expect(readStreamRate(provider, { ...network, evmChainId: 43_114 }, flow)).rejects.toThrow(
      /on chain 31337/,
    )
    await expect(readStreamRate(provider, { ...network, forwarder: payer }, flow)).rejects.toMatchObject({
      code: 'bad_response',
    })
  })
})
