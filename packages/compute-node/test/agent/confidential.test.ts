import { createHmac } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { notify, publishInstance, richWorld } from './instance-message.ts'
import { ownerHeaders } from './owner-headers.ts'
import { TestNode } from './test-node.ts'

const nodeHash = 'ab'.repeat(32)
const certificates = Buffer.from('keys of a platform')
const enabled = { ALEPH_VM_NODE_HASH: nodeHash, ALEPH_VM_ENABLE_CONFIDENTIAL_COMPUTING: '1' }
let node: TestNode
let hash: string

beforeAll(async () => {
  node = await TestNode.start({ environment: enabled, prepare: offerSev })
  richWorld(node)
  hash = publishConfidential(node)
})
afterAll(() => node[Symbol.asyncDispose]())

function offerSev({ hypervisor }: TestNode): void {
  hypervisor.confidentialSupport = {
    available: true,
    technologies: ['sev', 'sev-snp'],
    cbitpos: 51,
    reducedPhysBits: 1,
    certificates,
  }
}

function publishConfidential(on: TestNode): string {
  const firmware = on.core.store(Buffer.from('OVMF'))
  return publishInstance(on, nodeHash, {
    payment: null,
    environment: { internet: true, hypervisor: 'qemu', trusted_execution: { firmware, policy: 1 } },
  })
}

async function ask(method: 'GET' | 'POST', operation: string, body?: FormData | string) {
  const path = `/control/machine/${hash}/${operation}`
  const json = typeof body === 'string' && { 'content-type': 'application/json' }
  const headers = { ...ownerHeaders(node.core.owner, path, method), ...json }
  const init = { method, headers, ...(body !== undefined && { body }) }
  const response = await fetch(`${node.url}${path}`, init)
  const text = await response.text()
  return [response.status, text.startsWith('{') ? JSON.parse(text) : text]
}

function sessionForm(): FormData {
  const form = new FormData()
  form.append('session', new Blob([Buffer.from('session').toString('base64')]), 'vm_session.b64')
  form.append('godh', new Blob([Buffer.from('godh').toString('base64')]), 'vm_godh.b64')
  return form
}

async function execution() {
  const list = await (await fetch(`${node.url}/v2/about/executions/list`)).json()
  const { running, awaiting_confidential_init } =
    (list as Record<string, Record<string, unknown>>)[hash] ?? {}
  return { running, awaiting: awaiting_confidential_init }
}

test('an instance that its owner must launch waits for that, and every list says so', async () => {
  expect(await notify(node, hash)).toEqual([200, expect.objectContaining({ success: true })])
  expect(await execution()).toEqual({ running: false, awaiting: true })
  const v1 = await (await fetch(`${node.url}/about/executions/list`)).json()
  expect((v1 as Record<string, unknown>)[hash]).toEqual({
    networking: { ipv4: expect.stringContaining('/24'), ipv6: expect.stringContaining('/124') },
    vm_type: 'instance',
    awaiting_confidential_init: true,
  })
  expect((await ask('GET', 'confidential/measurement'))[0]).toBe(403)
})

test('the owner reads the platform’s certificates, brings a session, measures, and hands over the secret', async () => {
  const read = await fetch(`${node.url}/about/certificates`)
  expect(Buffer.from(await read.arrayBuffer())).toEqual(certificates)

  const [status, refusal] = await ask('POST', 'confidential/initialize', new FormData())
  expect([status, refusal.code]).toEqual([400, 'field_missing'])
  expect(await ask('POST', 'confidential/initialize', sessionForm())).toEqual([
    200,
    `Started VM with ref ${hash}`,
  ])
  expect(node.hypervisor.shapeOf(hash).confidential).toMatchObject({
    technology: 'sev',
    policy: 1,
    cbitpos: 51,
    session: { session: expect.stringContaining(hash), dhCertificate: expect.stringContaining(hash) },
  })

  const [, measured] = await ask('GET', 'confidential/measurement')
  const { sev_info, launch_measure } = measured
  expect(sev_info).toMatchObject({ enabled: true, api_major: 1, api_minor: 55, build_id: 24, policy: 1 })
  const answer = Buffer.from(launch_measure, 'base64')
  expect(answer).toHaveLength(48)
  // Of the network's test vector (protocol 05 §22).
  const firmware = 'd06471f485c0a61aba5a431ec136b947be56907acf6ed96afb11788ae4525aeb'
  const measure = createHmac('sha256', Buffer.from('9e939311ce26b5119f5df07e1ba10177', 'hex'))
    .update(Buffer.from([4, sev_info.api_major, sev_info.api_minor, sev_info.build_id, 1, 0, 0, 0]))
    .update(Buffer.from(firmware, 'hex'))
    .update(answer.subarray(32))
    .digest()
  expect(answer.subarray(0, 32)).toEqual(measure)

  const secret = JSON.stringify({ packet_header: 'aGVhZGVy', secret: 'c2VjcmV0' })
  expect(await ask('POST', 'confidential/inject_secret', secret)).toEqual([
    200,
    { status: { status: 'running', running: true } },
  ])
  expect(await execution()).toEqual({ running: true, awaiting: false })
  const [again, { code }] = await ask('POST', 'confidential/initialize', sessionForm())
  expect([again, code]).toEqual([400, 'vm_running'])
})

test('a reboot by its owner uses the same session; after one from inside a new one is needed', async () => {
  expect((await ask('POST', 'reboot'))[0]).toBe(200)
  expect(await execution()).toEqual({ running: true, awaiting: false })
  node.hypervisor.crash(hash)
  await expect.poll(execution).toEqual({ running: false, awaiting: true })
})

test('an instance with SEV-SNP runs at once, with what its reports are to say, and answers for itself', async () => {
  const runtime = node.core.store(Buffer.from('measured firmware'))
  const measured = (vcpu_type: string) => ({
    mode: 'sev_snp',
    policy: 0x30000,
    runtime,
    measurements: [{ platform: 'sev_snp', registers: { launch: 'ab'.repeat(48) }, vcpu_type }],
  })
  const publish = (vcpuType: string) =>
    publishInstance(node, nodeHash, {
      payment: null,
      environment: { internet: true, hypervisor: 'qemu', trusted_execution: measured(vcpuType) },
    })
  hash = publish('EPYC-Milan')
  expect(await notify(node, hash)).toEqual([200, expect.objectContaining({ success: true })])
  expect(await execution()).toEqual({ running: true, awaiting: false })
  expect(node.hypervisor.shapeOf(hash).confidential).toMatchObject({
    technology: 'sev-snp',
    policy: 0x30000,
    vcpuType: 'EPYC-Milan',
    hostData: Buffer.from(hash, 'hex').toString('base64'),
  })
  for (const [method, operation] of [
    ['GET', 'measurement'],
    ['POST', 'initialize'],
  ] as const) {
    const body = method === 'POST' ? sessionForm() : undefined
    const [status, refusal] = await ask(method, `confidential/${operation}`, body)
    expect([status, refusal.code ?? refusal.error]).toEqual([
      400,
      expect.stringMatching(/not_confidential|vm_running/),
    ])
  }
  const usage = (await (await fetch(`${node.url}/about/usage/system`)).json()) as {
    properties: { tee?: { sev_snp: { supported_vcpu_types: string[] } } }
  }
  expect(usage.properties.tee?.sev_snp.supported_vcpu_types).toContain('EPYC-Milan')

  const [, { errors }] = await notify(node, publish('EPYC-Future,kvm=off'))
  expect(JSON.stringify(errors)).toContain('for none of the processors')
})

test('certificates with AMD’s signature are those that the operator exported', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aleph-certificates-'))
  await writeFile(join(folder, 'exported'), 'keys that AMD signed')
  const environment = { ...enabled, ALEPH_VM_CONFIDENTIAL_CERTIFICATES: join(folder, 'exported') }
  await using exporting = await TestNode.start({ environment, prepare: offerSev })
  expect(await (await fetch(`${exporting.url}/about/certificates`)).text()).toBe('keys that AMD signed')
  await rm(folder, { recursive: true })
})

test('a node without the hardware says why, and that it has no certificates', async () => {
  await using poor = await TestNode.start({ environment: enabled })
  richWorld(poor)
  const instance = publishConfidential(poor)
  const [status, { errors }] = await notify(poor, instance)
  expect(status).toBe(503)
  expect((errors as Record<string, string>)[instance]).toContain('no memory to encrypt')
  expect((await fetch(`${poor.url}/about/certificates`)).status).toBe(503)
})
