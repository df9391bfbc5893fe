import { signAllocationRequest } from '@aleph-ts/protocol'
import type { CoreNodeConfig } from '../config.ts'
import { loadOperatorKey, loadPublisherKey } from '../operator-key.ts'
import { releasePath } from '../placement/held-plan-routes.ts'
import { askNode, urlOf } from './running-node.ts'

/** Lets the running node tell a compute node a plan that it holds back; sets the exit code when it does not. */
export async function releasePlan(
  config: CoreNodeConfig,
  computeNode: string,
  options: { url?: string },
): Promise<void> {
  const operatorKey = await loadOperatorKey(config.privateKeyFile)
  const { scheduler } = config.profile.placement
  const { privateKey } = scheduler ? await loadPublisherKey(config, operatorKey) : operatorKey
  const path = releasePath(computeNode)
  const authorization = signAllocationRequest({
    method: 'POST',
    path,
    body: new Uint8Array(),
    iat: Math.floor(Date.now() / 1000),
    privateKey,
  })
  const response = await askNode(urlOf(config, options.url), path, {
    method: 'POST',
    headers: { authorization },
  })
  if (response.ok) {
    process.stderr.write(`${computeNode} is told its plan\n`)
    return
  }
  const { error } = (await response.json().catch(() => ({}))) as { error?: string }
  process.stderr.write(`${error ?? `the node answered ${response.status}`}\n`)
  process.exitCode = 1
}
