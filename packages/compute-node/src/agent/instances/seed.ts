import type { TapLink } from '../../network/index.ts'
import { isoImage } from './iso-image.ts'

export interface SeedMount {
  serial: string
  folder: string
  fileSystem: string
  readOnly: boolean
  /** Whether the file system is to grow to the size of its disk, as systemd does it at boot. */
  grows: boolean
}

export interface SeedContent {
  /** Item hash of the instance. */
  hash: string
  hostname: string
  authorizedKeys: readonly string[]
  /** Run by a shell at every boot, before anything else. */
  bootCommands: readonly string[]
  variables: Readonly<Record<string, string>>
  /** Volumes by the serial of their disk. */
  mounts: readonly SeedMount[]
  /** Null: the network gives addresses away. */
  network: { link: TapLink; nameservers: readonly string[] } | null
}

/**
 * The NoCloud seed of an instance (protocol 05 §7.3): its name, its owner's keys, and beyond the network's
 * nodes its volumes mounted and its variables in the environment (05 §24.3). The instance id is the hash, so
 * that a system set up once is not set up again (05 §23 I6).
 */
export function seedImage(content: SeedContent): Buffer {
  const { hash, hostname } = content
  return isoImage('cidata', [
    { name: 'user-data', content: userData(content) },
    {
      name: 'meta-data',
      content: `${JSON.stringify({ 'instance-id': `iid-${hash}`, 'local-hostname': hostname })}\n`,
    },
    { name: 'network-config', content: networkConfig(content.network) },
  ])
}

/** Names of interfaces differ between images, drivers do not. */
function networkConfig(network: SeedContent['network']): string {
  const lines = ['version: 2', 'ethernets:', '  eth0:', '    match:', '      driver: virtio_net']
  if (!network) return `${[...lines, '    dhcp4: true'].join('\n')}\n`
  const { ipv4, ipv6 } = network.link
  const addresses = [ipv4, ipv6].map(({ address, network }) => `${address}/${network.split('/')[1]}`)
  lines.push('    dhcp4: false', '    dhcp6: false', '    accept-ra: false')
  lines.push('    addresses:', ...addresses.map((address) => `      - "${address}"`))
  lines.push(`    gateway4: "${ipv4.gateway}"`, `    gateway6: "${ipv6.gateway}"`)
  lines.push('    nameservers:', '      addresses:')
  lines.push(...network.nameservers.map((address) => `        - "${address}"`))
  return `${lines.join('\n')}\n`
}

/** YAML with every text in JSON's quotes, which YAML shares: nothing of a message can be taken for syntax. */
function userData({ hostname, authorizedKeys, bootCommands, variables, mounts }: SeedContent): string {
  const lines = [
    '#cloud-config',
    `hostname: ${JSON.stringify(hostname)}`,
    'disable_root: false',
    'ssh_pwauth: false',
    'resize_rootfs: true',
    // A system that moved, or whose node changed, finds other addresses at its next boot.
    'updates: { network: { when: [boot] } }',
    ...list(
      'ssh_authorized_keys',
      authorizedKeys.map((key) => JSON.stringify(key.trim())),
    ),
    ...list(
      'bootcmd',
      bootCommands.map((command) => JSON.stringify(command)),
    ),
    ...list(
      'mounts',
      mounts.map(({ serial, folder, fileSystem, readOnly, grows }) =>
        JSON.stringify([
          `/dev/disk/by-id/virtio-${serial}`,
          folder,
          fileSystem,
          `${readOnly ? 'ro' : 'defaults'},nofail${grows ? ',x-systemd.growfs' : ''}`,
          '0',
          '2',
        ]),
      ),
    ),
  ]
  const environment = Object.entries(variables)
  if (environment.length > 0) {
    const text = environment.map(([name, value]) => `${name}=${JSON.stringify(value)}\n`).join('')
    lines.push('write_files:', '  - path: /etc/environment', '    append: true')
    lines.push(`    content: ${JSON.stringify(text)}`)
  }
  return `${lines.join('\n')}\n`
}

function list(name: string, items: string[]): string[] {
  return items.length === 0 ? [] : [`${name}:`, ...items.map((item) => `  - ${item}`)]
}
