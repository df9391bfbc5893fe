import { devnetProfile, mainnetProfile } from '@aleph-ts/protocol'
import { AlephApiError, type AlephClient, type NodeList } from '@aleph-ts/sdk'
import { until } from '../main-job/until.ts'

/** A core node as its operator registered it. */
export interface CoreNodeEntry {
  /** Item hash of its registration: its identity. */
  hash: string
  owner: string
  name: string
  multiaddress: string
  url: string
}

/** A compute node as its operator registered it, linked to a core node. */
export interface ComputeNodeEntry {
  hash: string
  owner: string
  name: string
  url: string
  /** Hash of the core node it is linked to. */
  parent: string
}

/** ALEPH that operators and stakers of a devnet hold: what its profile asks, and something for transactions to come. */
export const operatorAleph = String(devnetProfile.registry.nodeThreshold * 2)
export const stakerAleph = String(devnetProfile.registry.nodeActivation * 2)

/** The registry of a core node that has just started: it computes it first. */
export async function knownNodes(client: AlephClient): Promise<NodeList> {
  let nodes: NodeList | undefined
  await until('a core node has computed the registry', async () => {
    nodes = await client.listNodes().catch((error: unknown) => {
      if (error instanceof AlephApiError && error.status === 503) return undefined
      throw error
    })
    return nodes !== undefined
  })
  return nodes!
}

/** Registers a core node as its operator, unless it is; when its address is another now, says so. */
export async function registerCoreNode(
  operator: AlephClient,
  known: NodeList,
  entry: Omit<CoreNodeEntry, 'hash'>,
): Promise<CoreNodeEntry> {
  const { name, multiaddress, url: address } = entry
  const before = known.coreNodes.find((node) => node.owner === entry.owner)
  const details = { name, multiaddress, address }
  if (!before) {
    const { itemHash } = await operator.publishNodeOperation({ action: 'create-node', details })
    return { ...entry, hash: itemHash }
  }
  if (before.multiaddress !== multiaddress || before.address !== address) {
    await operator.publishNodeOperation({ action: 'amend', type: 'core', node: before.hash, details })
  }
  return { ...entry, hash: before.hash }
}

/** Registers a compute node and links it to its operator's core node, unless it is. */
export async function registerComputeNode(
  operator: AlephClient,
  known: NodeList,
  entry: Omit<ComputeNodeEntry, 'hash'>,
): Promise<ComputeNodeEntry> {
  const { name, url: address } = entry
  const before = known.computeNodes.find((node) => node.owner === entry.owner && node.name === name)
  const details = { name, address, stream_reward: entry.owner }
  const created = before
    ? undefined
    : await operator.publishNodeOperation({ action: 'create-resource-node', details })
  const hash = before?.hash ?? created!.itemHash
  if (before && before.address !== address) {
    await operator.publishNodeOperation({ action: 'amend', type: 'compute', node: hash, details })
  }
  if (!before?.parent) await operator.publishNodeOperation({ action: 'link', node: hash })
  return { ...entry, hash }
}

/** Stakes on a core node, unless the staker does already. */
export async function stakeOn(staker: AlephClient, known: NodeList, node: string): Promise<void> {
  const address = staker.context.account!.address
  const stakers = known.coreNodes.find(({ hash }) => hash === node)?.stakers ?? {}
  if (!(address in stakers)) await staker.publishNodeOperation({ action: 'stake-split', node })
}

/** Gives nodes that nobody has measured yet full scores, so that VMs are placed on them from the first minute on. */
export async function scoreNewNodes(
  authority: AlephClient,
  known: NodeList,
  entries: { core: CoreNodeEntry[]; compute: ComputeNodeEntry[] },
): Promise<void> {
  const scored = new Set(
    [...known.coreNodes, ...known.computeNodes].filter(({ score }) => score > 0).map(({ hash }) => hash),
  )
  const rows = (nodes: { hash: string }[]) =>
    nodes
      .filter(({ hash }) => !scored.has(hash))
      .map(({ hash }) => ({
        node_id: hash,
        total_score: 1,
        performance: 1,
        version: 1,
        decentralization: 1,
        measurements: {},
      }))
  const scores = { ccn: rows(entries.core), crn: rows(entries.compute) }
  if (scores.ccn.length + scores.crn.length === 0) return
  await authority.publishPost(
    { postType: 'aleph-scoring-scores', content: { version: '1.1', tags: ['mainnet'], scores } },
    { channel: mainnetProfile.channels.scoring },
  )
}

/** Waits until a core node has all entries in its registry, linked and active, and knows what is published of them. */
export async function registeredAt(
  client: AlephClient,
  entries: { core: CoreNodeEntry[]; compute: ComputeNodeEntry[] },
): Promise<void> {
  await until(`${client.context.core.urls[0]} knows all nodes`, async () => {
    const { coreNodes, computeNodes } = await client.listNodes()
    const published = await client.getAggregate(devnetProfile.addresses.corechannel, 'corechannel')
    const text = JSON.stringify(published ?? null)
    const isCore = ({ hash, url }: CoreNodeEntry) =>
      coreNodes.some((node) => node.hash === hash && node.status === 'active' && node.address === url)
    const isCompute = ({ hash, url, parent }: ComputeNodeEntry) =>
      computeNodes.some((node) => node.hash === hash && node.parent === parent && node.address === url)
    return (
      entries.core.every(isCore) &&
      entries.compute.every(isCompute) &&
      [...entries.core, ...entries.compute].every(({ hash }) => text.includes(`"hash":"${hash}"`))
    )
  })
}
