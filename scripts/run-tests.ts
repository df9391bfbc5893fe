import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

/** Files of tests that take long: several nodes, machines that boot, a chain, crashes. */
const scenarioFiles = '**/*.scenario.test.ts'

/**
 * `npm test`: type check, lint (which also checks that imports go one way), then every test.
 * `npm test -- PATH…` runs only the tests under those paths; those of a whole package without its scenarios, unless
 * they are asked for with `--scenarios`.
 */
export function runTests(root: string, given: string[]): number {
  const args = given.filter((arg) => arg !== '--scenarios')
  const leavesOut = args.length === given.length && args.some((arg) => /^packages\/[^/]+\/?$/.test(arg))
  if (given.length === 0) {
    for (const [what, tool, toolArgs] of [
      ['Type check', 'tsc', ['-p', root]],
      ['Lint, format and import arrows', 'biome', ['check', root]],
    ] as const) {
      const started = Date.now()
      const run = spawnSync(join(root, 'node_modules/.bin', tool), toolArgs, { cwd: root, stdio: 'inherit' })
      if (run.status !== 0) {
        console.error(`✗ ${what} failed`)
        return 1
      }
      console.log(`✓ ${what} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
    }
  }

  const report = join(root, '.cache', 'test-report.json')
  mkdirSync(join(root, '.cache'), { recursive: true })
  rmSync(report, { force: true })
  const vitest = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...(leavesOut ? ['--exclude', scenarioFiles] : []),
      ...args,
    ],
    { cwd: root, stdio: 'inherit' },
  )
  printTally(report)
  if (leavesOut) console.log('Scenarios were left out; --scenarios runs them too')
  return vitest.status ?? 1
}

function printTally(report: string): void {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(
    readFileSync(report, 'utf8'),
  ) as Record<string, number>
  console.log(`\n${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`)
}
