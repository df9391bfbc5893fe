import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { ConfigError, type CoreNodeConfig, configFromEnvironment, settingNames } from './config.ts'

const prefix = 'ALEPH_CORE_'
const rpcPrefix = `${prefix}EVM_RPC_`

const value = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])
const fileSchema = z.object({ evmRpc: z.record(z.string(), z.string()).optional() }).catchall(value)

/**
 * The settings of a node from the environment and, below it, from a JSON file: `{"dataDir": "/var/lib/aleph",
 * "p2pPeers": ["/dns/…"], "evmRpc": {"BASE": "https://…"}}`. A key of the file is the variable's name without
 * `ALEPH_CORE_`, in camel case; a variable that is set wins.
 *
 * @param path the file; by default the one `ALEPH_CORE_CONFIG` names, if any
 * @throws {ConfigError} naming what is missing, unknown or wrong
 */
export function loadConfig(
  environment: Record<string, string | undefined>,
  path: string | undefined = environment.ALEPH_CORE_CONFIG || undefined,
): CoreNodeConfig {
  if (path === undefined) return configFromEnvironment(environment)
  const given = Object.entries(environment).filter(([, text]) => text !== undefined && text !== '')
  return configFromEnvironment({ ...readConfigFile(path), ...Object.fromEntries(given) })
}

/** The variables that a configuration file stands for. */
function readConfigFile(path: string): Record<string, string> {
  const names = new Map(settingNames.map((name) => [keyOf(name), name]))
  const { evmRpc = {}, ...settings } = parseFile(path)
  const variables: Record<string, string> = {}
  for (const [key, setting] of Object.entries(settings)) {
    const name = names.get(key)
    if (!name) {
      throw new ConfigError(
        `${path}: there is no setting "${key}"; there are ${[...names.keys()].join(', ')}, evmRpc`,
      )
    }
    variables[name] = String(setting)
  }
  for (const [chain, url] of Object.entries(evmRpc)) variables[`${rpcPrefix}${chain}`] = url
  return variables
}

function parseFile(path: string): z.infer<typeof fileSchema> {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ConfigError(`${path} cannot be read as a configuration file: ${(error as Error).message}`, {
      cause: error,
    })
  }
  const parsed = fileSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`,
  )
  throw new ConfigError(`${path}: ${problems.join('; ')}`)
}

/** `ALEPH_CORE_HTTP_PORT` is `httpPort` in a file, `DATABASE_URL` is `databaseUrl`. */
export function keyOf(name: string): string {
  return name
    .replace(prefix, '')
    .toLowerCase()
    .replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
