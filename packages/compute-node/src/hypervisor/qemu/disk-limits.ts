/** What all writable disks of one machine may do together. */
export interface DiskLimits {
  bytesPerSecond: number
  operationsPerSecond: number
}

const group = 'disks'

/** Arguments that make the allowance the disks of a machine share; none without limits. */
export function diskLimitArguments(limits: DiskLimits | undefined): string[] {
  if (!limits) return []
  const { bytesPerSecond, operationsPerSecond } = limits
  const allowance = { 'bps-total': bytesPerSecond, 'iops-total': operationsPerSecond }
  return ['-object', JSON.stringify({ 'qom-type': 'throttle-group', id: group, limits: allowance })]
}

/** A block node, named like the one it stands before, that lets through no more than the allowance. */
export function limitedNode<Node extends { 'node-name': string }>(node: Node) {
  const name = node['node-name']
  return {
    'node-name': name,
    driver: 'throttle',
    'throttle-group': group,
    file: { ...node, 'node-name': `${name}-unlimited` },
  }
}

/** The same as an ending of a `-drive` option. */
export function driveLimits(limits: DiskLimits | undefined): string {
  if (!limits) return ''
  const { bytesPerSecond, operationsPerSecond } = limits
  return `,throttling.group=${group},throttling.bps-total=${bytesPerSecond},throttling.iops-total=${operationsPerSecond}`
}
