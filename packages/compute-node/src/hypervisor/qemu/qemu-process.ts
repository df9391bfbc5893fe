import { type ChildProcess, execFile, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { promisify } from 'node:util'
import { HypervisorError } from '../hypervisor.ts'
import type { ProcessUser } from './unprivileged-user.ts'

export const qemuBinary = 'qemu-system-x86_64'

const maxWords = 4096

/** A QEMU process just spawned, in its own session so that it survives ours. */
export interface QemuProcess {
  pid: number
  /** Resolves when it is gone and has said everything. */
  readonly ended: Promise<void>
  /** Throws with QEMU's own words when it has ended already. */
  assertRunning(): void
  /** The end of its standard error. */
  lastWords(): string
  /** Our ends of the pipes it was given, in their order. */
  readonly pipes: Socket[]
  /** From here on it no longer keeps this process from ending. */
  letGo(): void
}

/**
 * Spawns QEMU detached, as `user` when given, with descriptors, or pipes made for it, inherited from 3 on. `pinsMemory`:
 * devices write to the guest's memory, which therefore must not move.
 */
export async function spawnQemu(
  args: string[],
  user: ProcessUser | null,
  inherited: (number | 'pipe')[],
  pinsMemory = false,
): Promise<QemuProcess> {
  const launch = launchCommand(args, user, pinsMemory)
  const child: ChildProcess = spawn(launch.file, launch.args, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', ...inherited],
    // Nothing of the node's environment: it may hold secrets.
    env: { PATH: process.env.PATH },
    ...launch.user,
  })
  let words = ''
  let end = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-maxWords)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('close', (code, signal) => {
      end = signal ? `was ended by ${signal}` : `exited with code ${code}`
      resolve()
    })
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error: NodeJS.ErrnoException) => reject(spawnError(error, launch.file)))
  })
  const pipes = (child.stdio as (Socket | null)[]).slice(3).filter((pipe) => pipe !== null)
  for (const pipe of pipes) pipe.on('error', () => {})
  return {
    pid: child.pid!,
    ended,
    pipes,
    lastWords: () => words,
    letGo() {
      child.unref()
      for (const pipe of [child.stderr as Socket, ...pipes]) pipe.unref()
    },
    assertRunning() {
      if (end !== '') {
        throw new HypervisorError('hypervisor_failed', `QEMU ${end}: ${words.trim() || 'it said nothing'}`)
      }
    },
  }
}

/** The version QEMU reports, such as `7.2.22 (Debian 1:7.2+dfsg-7)`. */
export async function qemuVersion(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(qemuBinary, ['--version'], { timeout: 10_000 })
    return /version (.+)/.exec(stdout)?.[1]?.trim() ?? stdout.trim()
  } catch (error) {
    throw spawnError(error as NodeJS.ErrnoException, qemuBinary)
  }
}

/** Node itself can set one group only; `setpriv` turns into QEMU, keeping the pid. */
export function launchCommand(
  args: string[],
  user: ProcessUser | null,
  pinsMemory = false,
): { file: string; args: string[]; user: { uid: number; gid: number } | null } {
  if (user && pinsMemory) {
    // The limit must be raised before the rights to raise it are given up.
    const { file, args: rest } = launchCommand(args, { ...user, extraGroup: user.extraGroup ?? user.gid })
    return { file: 'prlimit', args: ['--memlock=unlimited:unlimited', '--', file, ...rest], user: null }
  }
  if (!user?.extraGroup) return { file: qemuBinary, args, user: user && { uid: user.uid, gid: user.gid } }
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, `--groups=${user.extraGroup}`]
  return { file: 'setpriv', args: [...identity, '--no-new-privs', '--', qemuBinary, ...args], user: null }
}

function spawnError(error: NodeJS.ErrnoException, file: string): HypervisorError {
  const debianPackage = file === qemuBinary ? 'qemu-system-x86' : 'util-linux'
  return error.code === 'ENOENT'
    ? new HypervisorError(
        'hypervisor_missing',
        `${file} is not installed; on Debian: sudo apt-get install ${debianPackage}`,
        { cause: error },
      )
    : new HypervisorError('hypervisor_failed', `QEMU did not start: ${error.message}`, { cause: error })
}
