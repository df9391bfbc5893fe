import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { promisify } from 'node:util'
import { HypervisorError } from '../hypervisor.ts'
import { type HostProcess, isAlive } from '../qemu/host-process.ts'

const run = promisify(execFile)
const maxWords = 4096
const aliveCheckMs = 500

/** A Firecracker just spawned, in its own session so that it survives ours. */
export interface FirecrackerProcess {
  pid: number
  /** Resolves when it is gone. */
  readonly ended: Promise<void>
  /** Throws with its own words when it has ended. */
  assertRunning(): void
  /** From here on it no longer keeps this process from ending. */
  letGo(): void
}

/** Makes the pipe that the guest's console, Firecracker's standard output, goes through. */
export async function makeConsolePipe(path: string): Promise<void> {
  await run('mkfifo', ['-m', '600', path])
}

/**
 * The reader's end of a console. The pipe is open for writing too and never waits: what nobody reads while this node is
 * down is dropped, and no guest stands still for it.
 */
export function openConsole(path: string, onData: (chunk: Uint8Array) => void): Socket {
  const console = new Socket({ fd: openPipe(path), readable: true, writable: false })
  console.on('data', onData).on('error', () => {})
  return console
}

/** Spawns it with `cwd` as its folder and its console in the pipe. */
export async function spawnFirecracker(
  command: { file: string; args: string[] },
  cwd: string,
  consolePath: string,
): Promise<FirecrackerProcess> {
  const output = openPipe(consolePath)
  let child: ChildProcess
  try {
    child = spawn(command.file, command.args, {
      cwd,
      detached: true,
      stdio: ['ignore', output, 'pipe'],
      // Nothing of the node's environment: it may hold secrets.
      env: { PATH: process.env.PATH },
    })
  } finally {
    closeSync(output)
  }
  let words = ''
  let end = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-maxWords)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      end = signal ? `was ended by ${signal}` : `exited with code ${code}`
      resolve()
    })
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error: NodeJS.ErrnoException) => reject(spawnError(error, command.file)))
  })
  return {
    pid: child.pid as number,
    ended,
    assertRunning() {
      if (end === '') return
      throw new HypervisorError(
        'hypervisor_failed',
        `Firecracker ${end}: ${words.trim() || 'it said nothing'}`,
      )
    },
    letGo() {
      child.unref()
      if (child.stderr && 'unref' in child.stderr) (child.stderr as { unref(): void }).unref()
    },
  }
}

/** Resolves when a process that is no child of ours is gone; does not keep ours from ending. */
export function processEnd(host: HostProcess): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(async () => {
      if (await isAlive(host)) return
      clearInterval(timer)
      resolve()
    }, aliveCheckMs)
    timer.unref()
  })
}

/** The version it reports, such as `v1.15.0`. */
export async function firecrackerVersion(binary: string): Promise<string> {
  try {
    const { stdout } = await run(binary, ['--version'], { timeout: 10_000 })
    return /Firecracker (v\S+)/.exec(stdout)?.[1] ?? stdout.split('\n', 1)[0] ?? ''
  } catch (error) {
    throw spawnError(error as NodeJS.ErrnoException, binary)
  }
}

function openPipe(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
}

function spawnError(error: NodeJS.ErrnoException, file: string): HypervisorError {
  return error.code === 'ENOENT'
    ? new HypervisorError('hypervisor_missing', `${file} is not installed`, { cause: error })
    : new HypervisorError('hypervisor_failed', `${file} did not start: ${error.message}`, { cause: error })
}
