import { type ComputeNodeConfig, ConfigError, configFromEnvironment } from '../config.ts'
import { type Finding, fail, ok } from './check.ts'
import {
  checkDisk,
  checkForwarding,
  checkHypervisor,
  checkIsolation,
  checkKey,
  checkMemory,
  checkPort,
  checkRuntime,
  checkTools,
} from './host-checks.ts'
import { checkInstanceNetwork } from './instance-network-check.ts'
import { checkCoreNodes, checkIdentity } from './network-checks.ts'
import { checkOffers } from './offer-checks.ts'

const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' }

/** Looks at everything a compute node needs; changes nothing but the remembered answer of the probe boot. */
export async function examine(environment: Record<string, string | undefined>): Promise<Finding[]> {
  const general = [await checkRuntime(), await checkTools()]
  let config: ComputeNodeConfig
  try {
    config = configFromEnvironment(environment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return [...general, fail('settings', error.message)]
  }
  const found = await Promise.all([
    checkHypervisor(config),
    checkDisk(config),
    checkMemory(config),
    checkPort(config),
    checkForwarding(config),
    checkInstanceNetwork(config),
    checkKey(config),
    checkIsolation(config),
    checkCoreNodes(config),
    checkIdentity(config),
    checkOffers(config),
  ])
  return [...general, ok('settings', `data in ${config.dataDir}`), ...found.flat()]
}

/** `doctor [--json]`: prints what was found; 1 when the node would not work, else 0. */
export async function runDoctor(args: string[], print: (line: string) => void): Promise<number> {
  const findings = await examine(process.env)
  const works = findings.every(({ status }) => status !== 'fail')
  if (args.includes('--json')) print(JSON.stringify({ ok: works, findings }))
  else for (const { check, status, message } of findings) print(`${marks[status]}  ${check}: ${message}`)
  return works ? 0 : 1
}
