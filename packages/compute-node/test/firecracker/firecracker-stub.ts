import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSocketServer } from 'node:net'
import { parseArgs } from 'node:util'
import { z } from 'zod'

/**
 * Stands in for Firecracker: takes its calls at its socket, refuses what its API description refuses, writes down
 * what it was asked in `calls.jsonl` of its folder, and runs nothing.
 */
const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { id: { type: 'string' }, 'api-sock': { type: 'string' }, version: { type: 'boolean' } },
})
if (values.version) {
  console.log('Firecracker v1.15.0')
  process.exit(0)
}

const file = z.string().refine((path) => existsSync(path), 'no such file')
const newFile = z.string().refine((path) => !existsSync(path), 'exists already')
const schemas: Record<string, z.ZodType> = {
  'PUT /boot-source': z.strictObject({
    kernel_image_path: file,
    boot_args: z.string().optional(),
    initrd_path: file.optional(),
  }),
  'PUT /machine-config': z.strictObject({
    vcpu_count: z.int().min(1).max(32),
    mem_size_mib: z.int().positive(),
    smt: z.boolean().optional(),
  }),
  'PUT /drives': z.strictObject({
    drive_id: z.string(),
    path_on_host: file,
    is_root_device: z.boolean(),
    is_read_only: z.boolean(),
  }),
  'PUT /vsock': z.strictObject({ guest_cid: z.int().min(3), uds_path: newFile }),
  'PUT /actions': z.strictObject({ action_type: z.enum(['InstanceStart', 'SendCtrlAltDel']) }),
  'PATCH /vm': z.strictObject({ state: z.enum(['Paused', 'Resumed']) }),
  'PUT /snapshot/create': z.strictObject({
    snapshot_type: z.enum(['Full', 'Diff']).optional(),
    snapshot_path: newFile,
    mem_file_path: newFile,
  }),
  'PUT /snapshot/load': z.strictObject({
    snapshot_path: file,
    mem_backend: z.strictObject({ backend_type: z.enum(['File', 'Uffd']), backend_path: file }),
    resume_vm: z.boolean().optional(),
  }),
}

let paused = false
let started = false

/** What the call does here; the words of a refusal, or null. */
function obey(name: string, body: Record<string, string>): string | null {
  const preBoot = !['PUT /actions', 'PATCH /vm', 'PUT /snapshot/create'].includes(name)
  if (preBoot === started && name !== 'PUT /actions') return 'The requested operation is not supported now'
  if (name === 'PUT /vsock') listen(body.uds_path!)
  if (name === 'PATCH /vm') paused = body.state === 'Paused'
  if (body.action_type === 'SendCtrlAltDel') setTimeout(() => process.exit(0), 20)
  if (body.action_type === 'InstanceStart') {
    started = true
    console.log('Linux version 6.1')
  }
  if (name === 'PUT /snapshot/create') {
    if (!paused) return 'Cannot save a microVM that runs'
    writeFileSync(body.snapshot_path!, 'v.sock')
    writeFileSync(body.mem_file_path!, 'memory')
  }
  if (name === 'PUT /snapshot/load') {
    started = true
    listen(readFileSync(body.snapshot_path!, 'utf8'))
    console.log('restored')
  }
  return null
}

function listen(path: string): void {
  createSocketServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (line) => {
      appendFileSync('calls.jsonl', `${JSON.stringify({ vsock: line.toString().trim() })}\n`)
      socket.write('OK 1073741824\n')
    })
  }).listen(path)
}

createServer((request, response) => {
  let text = ''
  request.on('data', (chunk) => {
    text += chunk
  })
  request.on('end', () => {
    const path = request.url!.startsWith('/drives/') ? '/drives' : request.url
    const name = `${request.method} ${path}`
    const parsed = schemas[name]?.safeParse(JSON.parse(text))
    const fault = parsed?.success
      ? obey(name, parsed.data as Record<string, string>)
      : z.prettifyError(parsed?.error ?? new z.ZodError([]))
    appendFileSync('calls.jsonl', `${JSON.stringify({ name, body: JSON.parse(text) })}\n`)
    if (fault === null) response.writeHead(204).end()
    else response.writeHead(400).end(JSON.stringify({ fault_message: fault || `no such call: ${name}` }))
  })
}).listen(values['api-sock'])
