import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface PatientSsh {
  /** Where the owner's `key` lies, and connections are kept. */
  folder: string
  host: string
  port: number | undefined
  command: string
  /** Runs `ssh` with these arguments; resolves with what it printed. */
  run: (args: string[]) => Promise<string>
}

/** A system that several others boot beside, all of them emulated, takes its time. */
const patienceMs = 150_000

/** Runs a command as root inside an instance, as its owner would; waits until it lets us in. */
export async function patientSsh({ folder, host, port, command, run }: PatientSsh): Promise<string> {
  const options = [
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'BatchMode=yes',
    'LogLevel=ERROR',
    'ConnectTimeout=10',
    // Key exchange is slow in software emulation: one for all commands until the next boot.
    'ControlMaster=auto',
    'ControlPersist=yes',
    `ControlPath=${join(folder, `ssh-${port}`)}`,
  ]
  const args = ['-i', join(folder, 'key'), '-p', String(port), ...options.flatMap((option) => ['-o', option])]
  const deadline = Date.now() + patienceMs
  for (;;) {
    try {
      return (await run([...args, `root@${host}`, command])).trim()
    } catch (error) {
      // The port is open before the system behind it is up.
      const { code, stderr } = error as { code?: number; stderr?: string }
      if (code !== 255 || Date.now() > deadline || stderr?.includes('Permission denied')) throw error
      await sleep(500)
    }
  }
}
