import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeHypervisor } from '../fake/fake-hypervisor.ts'
import { HypervisorError } from '../hypervisor.ts'
import { type ProbeOptions, probeAccelerator } from './probe.ts'

let dataDir: string
let launched: string[]

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'aleph-probe-'))
  launched = []
})

afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true })
})

function options(bootable: string[], inputs: ProbeOptions['inputs'] = {}): ProbeOptions {
  const hypervisor = new FakeHypervisor()
  return {
    dataDir,
    inputs,
    log: pino({ level: 'silent' }),
    launch(accelerator, request) {
      launched.push(accelerator)
      if (!bootable.includes(accelerator)) hypervisor.failNextBoot()
      return hypervisor.launch(request)
    },
  }
}

test('KVM is used where a guest boots with it', async () => {
  expect(await probeAccelerator(options(['kvm', 'tcg']))).toMatchObject({ accelerator: 'kvm' })
  expect(launched).toEqual(['kvm'])
})

test('a KVM that boots nothing is not trusted, and the answer says why', async () => {
  const answer = await probeAccelerator(options(['tcg']))
  expect(answer).toMatchObject({ accelerator: 'tcg', reason: 'the fake guest does not boot' })
  expect(launched).toEqual(['kvm', 'tcg'])
})

test('the answer is remembered until something it depends on changes', async () => {
  await probeAccelerator(options(['tcg'], { version: '1' }))
  await probeAccelerator(options(['kvm'], { version: '1' }))
  expect(launched).toEqual(['kvm', 'tcg'])
  expect(await probeAccelerator(options(['kvm'], { version: '2' }))).toMatchObject({ accelerator: 'kvm' })
})

test('a damaged memory is probed anew', async () => {
  await probeAccelerator(options(['tcg']))
  await writeFile(join(dataDir, 'hypervisor-probe.json'), '{"key":')
  expect(await probeAccelerator(options(['tcg']))).toMatchObject({ accelerator: 'tcg' })
  expect(JSON.parse(await readFile(join(dataDir, 'hypervisor-probe.json'), 'utf8'))).toHaveProperty('answer')
})

test('a host on which nothing boots is an error that is not remembered', async () => {
  await expect(probeAccelerator(options([]))).rejects.toThrow(HypervisorError)
  expect(await probeAccelerator(options(['tcg']))).toMatchObject({ accelerator: 'tcg' })
})
