import type { ComputeNodeConfig } from '../config.ts'
import { type Finding, fail, ok, warn } from './check.ts'

const TIMEOUT_MS = 5_000
/** Owners' signatures count for two minutes; the clock must be well within. */
const MOST_DRIFT_SECONDS = 30

/** Whether each core node answers, and what it thinks the time is. */
export async function checkCoreNodes({ apiServers }: ComputeNodeConfig): Promise<Finding[]> {
  return Promise.all(apiServers.map(checkCoreNode))
}

export async function checkIdentity({ nodeHash, domainName }: ComputeNodeConfig): Promise<Finding[]> {
  return [
    nodeHash === null
      ? warn(
          'registration',
          'none: nobody but ALEPH_VM_AUTHORIZED_ALLOCATION_SIGNERS allocates here until ALEPH_VM_OWNER_ADDRESS has registered this address, or ALEPH_VM_NODE_HASH is set',
        )
      : ok('registration', nodeHash),
    domainName === 'localhost'
      ? warn(
          'domain',
          'localhost: clients elsewhere cannot prove themselves to this node; set ALEPH_VM_DOMAIN_NAME',
        )
      : ok('domain', domainName),
  ]
}

async function checkCoreNode(server: string): Promise<Finding> {
  const check = `core node ${server}`
  try {
    const response = await fetch(`${server}/api/v0/messages.json?pagination=1`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    await response.body?.cancel()
    if (!response.ok) return fail(check, `answered ${response.status}; is this a core node's address?`)
    const date = Date.parse(response.headers.get('date') ?? '')
    const drift = Math.abs(Date.now() - date) / 1000
    return drift > MOST_DRIFT_SECONDS
      ? fail(check, `its clock and this host's differ by ${Math.round(drift)} s; set the clock by NTP`)
      : ok(check, 'answers')
  } catch (error) {
    return fail(check, `does not answer (${(error as Error).message}); see ALEPH_VM_API_SERVERS`)
  }
}
