import { runHostCommand } from './host-command.ts'

/** Makes the host's end of a guest's link for the one user that may plug a machine into it; nothing goes through yet. */
export async function createTap(name: string, owner: number): Promise<void> {
  await runHostCommand('ip', ['tuntap', 'add', 'dev', name, 'mode', 'tap', 'user', String(owner)])
}

/** Takes a tap away, its addresses and routes with it; it may be gone already. */
export async function removeTap(name: string): Promise<void> {
  if ((await linkNames()).includes(name)) await runHostCommand('ip', ['link', 'delete', 'dev', name])
}

/** Taps whose names are this prefix and a number. */
export async function listTaps(prefix: string): Promise<string[]> {
  const ours = new RegExp(`^${prefix}\\d+$`)
  return (await linkNames()).filter((name) => ours.test(name))
}

async function linkNames(): Promise<string[]> {
  const links = JSON.parse((await runHostCommand('ip', ['-json', 'link', 'show'])) || '[]') as {
    ifname: string
  }[]
  return links.map(({ ifname }) => ifname)
}
