import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../src/images/run-command.ts'
import { buildGuestImages, channelPortName, GuestChannel, type RuntimeName } from '../src/index.ts'

/** Where guest images are built once for all tests. */
export const cacheDir = process.env.ALEPH_CACHE_DIR ?? join(import.meta.dirname, '../../../.cache/guest')

const memoryMiB = 384
const vsockPort = 52

/** How the channel is reached: what QEMU is told, and who else answers for the device. */
interface ChannelDevice {
  machine: string
  args: string[]
  channel: { vsockPort?: number }
  daemon?: ChildProcess
}

export interface QemuGuestOptions {
  runtime: RuntimeName
  /** The program: file name to text. All are executable. */
  files: Record<string, string>
  /** Has the guest get ready for any program before it is told which. */
  prepare?: boolean
  /** Extra fields of `configure`. */
  configure?: Record<string, string | string[]>
  /** With one processor and the lean kernel. */
  lean?: boolean
  /** A machine as Firecracker makes one: with a vsock for its channel, and disks that the kernel's arguments name. */
  vsock?: boolean
}

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
}

/** What answers for a vsock device of QEMU's, as Firecracker does for its own: `cargo install vhost-device-vsock`. */
export const vsockProgram = [...(process.env.PATH ?? '').split(':'), join(homedir(), '.cargo/bin')]
  .map((path) => join(path, 'vhost-device-vsock'))
  .find(existsSync)

/** A real VM for tests of what is inside it; the product's own launcher is in compute-node. */
export class QemuGuest {
  readonly channel: GuestChannel
  readonly socketPath: string
  /** The first event that says how the start went: `ready` or `exited`. */
  readonly outcome: Promise<{ verb: string; fields: Record<string, string> }>
  readonly #process: ChildProcess
  readonly #daemon: ChildProcess | undefined
  readonly #folder: string

  /** Boots and configures; the program is started by `start()`. */
  static async boot(options: QemuGuestOptions): Promise<QemuGuest> {
    const images = await buildGuestImages({ cacheDir, kernel: options.lean ? 'lean' : 'debian' })
    const boot = images.lean ?? images
    const folder = await mkdtemp(join(tmpdir(), 'aleph-guest-'))
    const code = join(folder, 'code')
    for (const [name, text] of Object.entries({ ...options.files, '.keep': '' })) {
      await mkdir(dirname(join(code, name)), { recursive: true })
      await writeFile(join(code, name), text)
      await chmod(join(code, name), 0o755)
    }
    await runCommand('mksquashfs', [
      code,
      join(folder, 'code.squashfs'),
      '-quiet',
      '-no-progress',
      '-all-root',
    ])
    const socketPath = join(folder, 'channel.sock')
    const disks = { runtime: images.runtimes[options.runtime].path, code: join(folder, 'code.squashfs') }
    const device = options.vsock ? await vsockDevice(folder, socketPath) : serialPort(socketPath)
    const diskNames = options.vsock ? ` aleph.disks=${Object.keys(disks).join(',')}` : ''
    const child = spawn(
      'qemu-system-x86_64',
      [
        ...['-M', `microvm,isa-serial=on,rtc=on,acpi=on,pit=on,pic=on${device.machine}`],
        ...['-accel', 'tcg', '-cpu', 'max', '-m', `${memoryMiB}`, '-smp', options.lean ? '1' : '2'],
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
        ...['-kernel', boot.kernel, '-initrd', boot.initrd],
        ...['-append', boot.kernelCommandLine + diskNames],
        ...['-serial', `file:${join(folder, 'console.log')}`],
        ...device.args,
        ...Object.entries(disks).flatMap(([serial, file]) => diskArguments(serial, file, !options.vsock)),
      ],
      { stdio: 'ignore' },
    )
    try {
      const channel = await GuestChannel.connect(socketPath, { ...device.channel, timeoutMs: 120_000 })
      if (options.prepare) await channel.control('prepare')
      await channel.control('configure', { hostname: 'guest-under-test', ...options.configure })
      return new QemuGuest(channel, socketPath, child, folder, device.daemon)
    } catch (error) {
      child.kill('SIGKILL')
      device.daemon?.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  private constructor(
    channel: GuestChannel,
    socketPath: string,
    child: ChildProcess,
    folder: string,
    daemon: ChildProcess | undefined,
  ) {
    this.channel = channel
    this.#daemon = daemon
    this.socketPath = socketPath
    this.#process = child
    this.#folder = folder
    this.outcome = new Promise((resolve) => {
      channel.once('event', (verb, fields) => resolve({ verb, fields }))
    })
  }

  async start(): Promise<{ verb: string; fields: Record<string, string> }> {
    await this.channel.control('start')
    return this.outcome
  }

  /** One HTTP request to the program on a connection of its own. */
  async fetch(
    path: string,
    options: { method?: string; body?: Buffer; headers?: Record<string, string> } = {},
  ) {
    const outgoing = request({
      path,
      method: options.method ?? 'GET',
      headers: { host: 'vm.test', connection: 'close', ...options.headers },
      // A connection may outlive its answer, and breaks when the guest is done with.
      createConnection: () => this.channel.openStream('tcp:8080').on('error', () => {}),
    })
    // Heard after the answer as well, when nobody waits for it any more.
    outgoing.on('error', () => {})
    outgoing.end(options.body)
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    const body = Buffer.concat(await incoming.toArray())
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body } satisfies Answer
  }

  consoleText(): Promise<string> {
    return readFile(join(this.#folder, 'console.log'), 'utf8')
  }

  /** Resolves when the machine has powered off. */
  async ended(): Promise<void> {
    if (this.#process.exitCode === null) await once(this.#process, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.channel.close()
    this.#process.kill('SIGKILL')
    this.#daemon?.kill('SIGKILL')
    if (this.#process.exitCode === null && this.#process.signalCode === null)
      await once(this.#process, 'exit')
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function serialPort(socketPath: string): ChannelDevice {
  const chardev = ['-chardev', `socket,id=channel,path=${socketPath},server=on,wait=off`]
  const port = ['-device', `virtserialport,chardev=channel,name=${channelPortName}`]
  return { machine: '', args: [...chardev, '-device', 'virtio-serial-device', ...port], channel: {} }
}

async function vsockDevice(folder: string, socketPath: string): Promise<ChannelDevice> {
  if (vsockProgram === undefined) throw new Error('vhost-device-vsock is not installed')
  const control = join(folder, 'vhost.sock')
  const args = ['--guest-cid', '3', '--socket', control, '--uds-path', socketPath]
  const daemon = spawn(vsockProgram, args, { stdio: 'ignore' })
  while (!existsSync(control) && daemon.exitCode === null) await sleep(10)
  return {
    machine: ',memory-backend=memory',
    args: [
      // The device reads the guest's memory.
      ...['-object', `memory-backend-memfd,id=memory,size=${memoryMiB}M,share=on`],
      ...['-chardev', `socket,id=vsock,path=${control}`],
      ...['-device', 'vhost-user-vsock-device,chardev=vsock'],
    ],
    channel: { vsockPort },
    daemon,
  }
}

function diskArguments(serial: string, file: string, isNamed: boolean): string[] {
  const drive = ['-drive', `if=none,id=${serial},file=${file},format=raw,readonly=on`]
  return [...drive, '-device', `virtio-blk-device,drive=${serial}${isNamed ? `,serial=${serial}` : ''}`]
}
