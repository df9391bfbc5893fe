import { createHash } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  type AttestedGuest,
  attestGuest,
  parseSnpCertificates,
  parseSnpReport,
  releaseSecrets,
  type SnpExpectation,
  verifySnpReport,
} from '../src/confidential/index.ts'
import { type FakeAmd, FakeSnpGuest, fakeAmd, measurement, tcb } from '../src/testing/index.ts'

let amd: FakeAmd
let stranger: FakeAmd
beforeAll(() => {
  amd = fakeAmd()
  stranger = fakeAmd()
})

const nonce = Buffer.from('what the guest had signed')

function expectation(changes: Partial<SnpExpectation> = {}): SnpExpectation {
  return { measurements: [measurement.toString('hex')], roots: [amd.root], reportData: nonce, ...changes }
}

function verify(report: Buffer, changes?: Partial<SnpExpectation>, maker = amd) {
  return verifySnpReport(report, parseSnpCertificates(maker.chain, maker.vcek), expectation(changes))
}

function refusal(report: Buffer, changes?: Partial<SnpExpectation>, maker?: FakeAmd): string {
  try {
    verify(report, changes, maker)
  } catch (error) {
    return (error as { code: string }).code
  }
  return 'verified'
}

describe('a report of a processor', () => {
  test('tells what was launched, and is believed when the chain of keys is', () => {
    expect(verify(amd.report(nonce))).toMatchObject({
      version: 3,
      product: 'Milan',
      vmpl: 0,
      measurement,
      policy: { value: 0x30000n, debug: false, migration: false, smt: true },
      reportedTcb: { fmc: null, ...tcb },
    })
  })

  test('is refused when anything in it was changed after it was signed', () => {
    const report = amd.report(nonce)
    for (const offset of [0x4, 0x90, 0x180, 0x29f, 0x2a0]) {
      const changed = Buffer.from(report)
      changed[offset]! ^= 1
      expect(refusal(changed)).toBe('signature_invalid')
    }
  })

  test('is refused when its keys descend from another root, or are mixed', () => {
    expect(refusal(stranger.report(nonce), {}, stranger)).toBe('chain_untrusted')
    expect(refusal(amd.report(nonce), { roots: undefined })).toBe('chain_untrusted')
    const mixed = { ...amd, vcek: stranger.vcek }
    expect(refusal(stranger.report(nonce), {}, mixed)).toBe('chain_untrusted')
    expect(refusal(amd.report(nonce), { now: new Date('2000-01-01') })).toBe('chain_untrusted')
  })

  test('is refused when it is of another guest, another chip or other firmware', () => {
    const other = createHash('sha384').update('another guest').digest()
    expect(refusal(amd.report(nonce, (report) => report.set(other, 0x90)))).toBe('measurement_mismatch')
    expect(refusal(amd.report(nonce, (report) => report.writeUInt8(7, 0x1a0)))).toBe('chip_mismatch')
    expect(refusal(amd.report(nonce, (report) => report.writeUInt8(9, 0x186)))).toBe('tcb_mismatch')
    expect(refusal(amd.report(nonce), { minimumTcb: { snp: tcb.snp + 1 } })).toBe('tcb_too_old')
    expect(refusal(amd.report(nonce), { minimumTcb: { snp: tcb.snp } })).toBe('verified')
  })

  test('is refused when the host may look into the guest, or the asker was not privileged', () => {
    const launched = (policy: bigint) => amd.report(nonce, (report) => report.writeBigUInt64LE(policy, 0x8))
    expect(refusal(launched(0xb0000n))).toBe('policy_refused')
    expect(refusal(launched(0xb0000n), { policy: 0xb0000 })).toBe('policy_refused')
    expect(refusal(launched(0x70000n))).toBe('policy_refused')
    expect(refusal(launched(0x30000n), { policy: 0x20000 })).toBe('policy_refused')
    expect(refusal(amd.report(nonce, (report) => report.writeUInt32LE(2, 0x30)))).toBe('privilege_refused')
  })

  test('is refused when it answers another question', () => {
    expect(refusal(amd.report(Buffer.from('an earlier nonce')))).toBe('report_data_mismatch')
    expect(refusal(amd.report(nonce), { hostData: Buffer.from('x') })).toBe('report_data_mismatch')
  })

  test('that is none says so', () => {
    expect(() => parseSnpReport(Buffer.alloc(1184))).toThrow(/version 0/)
    expect(() => parseSnpReport(Buffer.alloc(100))).toThrow(/1184/)
    expect(() => parseSnpCertificates('nothing', amd.vcek)).toThrow(/ASK and ARK/)
    expect(() => parseSnpCertificates(amd.chain, Buffer.from('nothing'))).toThrow(/cannot be read/)
  })
})

describe('a guest that has to prove itself', () => {
  let agent: FakeSnpGuest | undefined
  afterEach(() => agent?.[Symbol.asyncDispose]())

  /** `maker` made the processor that the guest shows reports of. */
  async function guest(maker: FakeAmd, options?: { boundTo: Uint8Array }): Promise<AttestedGuest> {
    agent = await FakeSnpGuest.start(maker, options)
    return {
      url: agent.url,
      expectation: { measurements: [measurement.toString('hex')], roots: [amd.root] },
      certificates: async () => parseSnpCertificates(maker.chain, maker.vcek),
      timeoutMs: 10_000,
    }
  }

  test('gets its secrets once, after it did', async () => {
    const trusted = await guest(amd)
    expect((await attestGuest(trusted)).measurement).toEqual(measurement)
    expect(await releaseSecrets(trusted, { luks_passphrase: 'open' })).toEqual(['luks_passphrase'])
    expect(agent?.received).toEqual(['{"luks_passphrase":"open"}'])
    await expect(releaseSecrets(trusted, { luks_passphrase: 'open' })).rejects.toMatchObject({
      code: 'conflict',
    })
  })

  test('gets nothing when its processor is no one’s', async () => {
    const pretender = await guest(stranger)
    await expect(releaseSecrets(pretender, { key: 'secret' })).rejects.toMatchObject({
      code: 'chain_untrusted',
    })
    expect(agent?.received).toEqual([])
  })

  test('gets nothing when it shows the report of another', async () => {
    const thief = await guest(amd, { boundTo: nonce })
    await expect(releaseSecrets(thief, { key: 'secret' })).rejects.toMatchObject({
      code: 'report_data_mismatch',
    })
    expect(agent?.received).toEqual([])
  })

  test('gets nothing when it runs something else', async () => {
    const trusted = await guest(amd)
    const expectation = { ...trusted.expectation, measurements: ['00'.repeat(48)] }
    await expect(releaseSecrets({ ...trusted, expectation }, { key: 'x' })).rejects.toMatchObject({
      code: 'measurement_mismatch',
    })
    expect(agent?.received).toEqual([])
  })

  test('is not asked for what no guest takes, and one that is away is told so', async () => {
    const trusted = await guest(amd)
    await expect(releaseSecrets(trusted, {})).rejects.toMatchObject({ code: 'invalid_argument' })
    await expect(releaseSecrets(trusted, { 'no/name': 'x' })).rejects.toMatchObject({
      code: 'invalid_argument',
    })
    const away = { ...trusted, url: 'https://127.0.0.1:1' }
    await expect(attestGuest(away)).rejects.toMatchObject({ code: 'network_unreachable' })
  })
})
