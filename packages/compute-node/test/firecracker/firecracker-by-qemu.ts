import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

/**
 * Stands in for Firecracker where only QEMU runs: takes the calls that make a machine, and starts one that looks the
 * same from inside and at its vsock socket, in software. `VSOCK_PROGRAM` answers for the vsock.
 */
const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { id: { type: 'string' }, 'api-sock': { type: 'string' }, version: { type: 'boolean' } },
})
if (values.version) {
  console.log('Firecracker v1.15.0')
  process.exit(0)
}

interface Configuration {
  'boot-source'?: { kernel_image_path: string; initrd_path: string; boot_args: string }
  'machine-config'?: { vcpu_count: number; mem_size_mib: number }
  vsock?: { guest_cid: number; uds_path: string }
  drives: { drive_id: string; path_on_host: string; is_read_only: boolean }[]
}

const configuration: Configuration = { drives: [] }
const children: ChildProcess[] = []

async function start(): Promise<void> {
  const { drives } = configuration
  const boot = configuration['boot-source']!
  const machine = configuration['machine-config']!
  const { guest_cid, uds_path } = configuration.vsock!
  const vsock = ['--guest-cid', String(guest_cid), '--socket', 'vhost.sock', '--uds-path', uds_path]
  children.push(spawn(process.env.VSOCK_PROGRAM!, vsock, { stdio: 'ignore' }))
  while (!existsSync('vhost.sock')) await sleep(10)
  const memory = `memory-backend-memfd,id=memory,size=${machine.mem_size_mib}M,share=on`
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...['-M', 'microvm,isa-serial=on,rtc=on,acpi=on,pit=on,pic=on,memory-backend=memory', '-accel', 'tcg'],
      ...['-cpu', 'max', '-smp', String(machine.vcpu_count), '-m', String(machine.mem_size_mib)],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
      // The last kind of reset that is named counts, and this machine has no keyboard controller.
      ...['-kernel', boot.kernel_image_path, '-initrd', boot.initrd_path],
      ...['-append', `${boot.boot_args} reboot=t`, '-object', memory],
      ...['-chardev', 'socket,id=vsock,path=vhost.sock', '-device', 'vhost-user-vsock-device,chardev=vsock'],
      ...drives.flatMap(({ drive_id: id, path_on_host: file, is_read_only: isReadOnly }) => [
        ...['-drive', `if=none,id=${id},file=${file},format=raw,readonly=${isReadOnly ? 'on' : 'off'}`],
        ...['-device', `virtio-blk-device,drive=${id}`],
      ]),
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  children.push(qemu)
  qemu.once('exit', () => end())
}

function end(): never {
  for (const child of children) child.kill('SIGKILL')
  process.exit(0)
}
process.once('SIGTERM', end)

createServer((request, response) => {
  let text = ''
  request.on('data', (chunk) => {
    text += chunk
  })
  request.on('end', async () => {
    const [, kind] = request.url!.split('/')
    const body = JSON.parse(text)
    if (kind === 'drives') configuration.drives.push(body)
    else if (kind === 'actions') await start()
    else Object.assign(configuration, { [kind!]: body })
    response.writeHead(204).end()
  })
}).listen(values['api-sock'])
