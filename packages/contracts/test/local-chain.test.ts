import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deployContracts, readAlephBalance, transferAleph } from '../src/index.ts'
import { LocalChain, LocalChainError } from '../src/local-chain.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aleph-local-chain-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

describe('a local chain', () => {
  test('gives its accounts coins and answers on loopback', async () => {
    await using chain = await LocalChain.create({ accounts: 3 })
    await chain.start()
    expect(chain.rpcUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(chain.accounts.map((account) => account.address)).toEqual([
      '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
      '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
      '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC',
    ])
    const { token } = await deployContracts(signer(chain))
    expect(await balance(chain, token, 0)).toBe('500000000')
  })

  test('keeps everything over a clean stop and start', async () => {
    const stateFile = join(folder, 'deep', 'chain.json')
    let token: string
    {
      await using chain = await LocalChain.create({ stateFile })
      await chain.start()
      token = (await deployContracts(signer(chain))).token
      await pay(chain, token, 1, '2000.5')
    }
    await using chain = await LocalChain.create({ stateFile })
    await chain.start()
    expect(await balance(chain, token, 1)).toBe('2000.5')
  })

  test('keeps its address and its blocks when it is killed and started again', async () => {
    const exits: LocalChainError[] = []
    await using chain = await LocalChain.create({
      stateFile: join(folder, 'chain.json'),
      onExit: (error) => exits.push(error),
    })
    await chain.start()
    const { rpcUrl } = chain
    const { token } = await deployContracts(signer(chain))
    await pay(chain, token, 1, '7')
    await chain.save()

    process.kill(chain.pid!, 'SIGKILL')
    await expect.poll(() => chain.pid).toBeUndefined()
    expect(exits).toMatchObject([{ code: 'chain_exited' }])

    await chain.start()
    expect(chain.rpcUrl).toBe(rpcUrl)
    expect(await balance(chain, token, 1)).toBe('7')
    await pay(chain, token, 1, '1')
    expect(await balance(chain, token, 1)).toBe('8')
  })

  test('saves new blocks without being asked', async () => {
    const stateFile = join(folder, 'chain.json')
    await using chain = await LocalChain.create({ stateFile, saveIntervalMs: 20 })
    await chain.start()
    const { token } = await deployContracts(signer(chain))
    await expect
      .poll(async () => (await readFile(stateFile, 'utf8').catch(() => '')).toLowerCase())
      .toContain(token.toLowerCase())
  })

  test.runIf(process.platform === 'linux')('ends with its parent, even one that is killed', async () => {
    const stateFile = join(folder, 'chain.json')
    const script = `
      import { LocalChain } from '${new URL('../src/local-chain.ts', import.meta.url)}'
      const chain = await LocalChain.create({ stateFile: process.argv[1] })
      await chain.start()
      await chain.save()
      console.log(chain.rpcUrl)
      setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', script, stateFile], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const rpcUrl = line.toString().trim()
    parent.kill('SIGKILL')
    await expect
      .poll(() =>
        fetch(rpcUrl).then(
          () => 'alive',
          () => 'gone',
        ),
      )
      .toBe('gone')

    await using chain = await LocalChain.create({ stateFile, port: Number(new URL(rpcUrl).port) })
    await chain.start()
    expect(chain.rpcUrl).toBe(rpcUrl)
  })

  test('says in words why it cannot start', async () => {
    await using first = await LocalChain.create()
    await first.start()
    const second = await LocalChain.create({ port: Number(new URL(first.rpcUrl).port) })
    await expect(second.start()).rejects.toMatchObject({
      code: 'chain_exited',
      message: expect.stringMatching(/address already in use/i),
    })
    expect(second.pid).toBeUndefined()

    const stateFile = join(folder, 'broken.json')
    await writeFile(stateFile, '{"not": "a chain"')
    const broken = await LocalChain.create({ stateFile })
    await expect(broken.start()).rejects.toBeInstanceOf(LocalChainError)
  })

  test('refuses a senseless number of accounts', async () => {
    await expect(LocalChain.create({ accounts: 0 })).rejects.toThrow(/accounts/)
  })
})

function signer(chain: LocalChain) {
  return { rpcUrl: chain.rpcUrl, privateKey: chain.accounts[0]!.privateKey }
}

async function pay(chain: LocalChain, token: string, account: number, aleph: string) {
  await transferAleph({
    ...signer(chain),
    token,
    payments: [{ to: chain.accounts[account]!.address, aleph }],
  })
}

async function balance(chain: LocalChain, token: string, account: number) {
  return readAlephBalance({ rpcUrl: chain.rpcUrl, token, address: chain.accounts[account]!.address })
}
