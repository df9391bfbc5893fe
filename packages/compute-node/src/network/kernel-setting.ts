import { readFile, writeFile } from 'node:fs/promises'
import { NetworkError } from './network-error.ts'

/** Whether the host's kernel speaks IPv6. */
export async function hasIpv6(): Promise<boolean> {
  return (await readKernelSetting('ipv6/conf/all/forwarding')) !== null
}

/** A value below `/proc/sys/net`; null when there is no such setting. */
export async function readKernelSetting(name: string): Promise<string | null> {
  try {
    return (await readFile(`/proc/sys/net/${name}`, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Sets a value below `/proc/sys/net`, unless it is that already. Throws NetworkError. */
export async function setKernelSetting(name: string, value: string): Promise<void> {
  if ((await readKernelSetting(name)) === value) return
  try {
    await writeFile(`/proc/sys/net/${name}`, value)
  } catch (error) {
    throw new NetworkError(`the kernel setting net/${name} cannot be set: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
