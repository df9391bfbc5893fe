import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Does `work` once per data dir and key: its answer is kept in a JSON file and given again. */
export async function remembered(file: string, key: string, work: () => Promise<string>): Promise<string> {
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {}
  const before = known[key]
  if (before !== undefined) return before
  const answer = await work()
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify({ ...known, [key]: answer }, null, 2)}\n`)
  return answer
}
