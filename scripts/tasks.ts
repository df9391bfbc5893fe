import { join } from 'node:path'
import process from 'node:process'
import { buildGuestImages, leanKernelTools } from '@aleph-ts/guest'
import { hostRequirements, testTools } from './host-requirements.ts'
import { runTests } from './run-tests.ts'

const root = join(import.meta.dirname, '..')
const withLeanKernel = process.env.ALEPH_TEST_LEAN_KERNEL === '1'

/** What `npm run <name>` does once Node 24 is there. Each answers with a process exit code. */
const tasks: Record<string, (args: string[]) => number | Promise<number>> = {
  up: async (args) => (await import('@aleph-ts/devnet')).up(args),
  test: async (args) => {
    if (withLeanKernel) await compileLeanKernel()
    return runTests(root, args)
  },
  bench: async (args) => (await import('../bench/main.ts')).bench(args),
}

const [name = '', ...args] = process.argv.slice(2)
const task = tasks[name]
if (task === undefined) {
  console.error(`Unknown task "${name}". Known: ${Object.keys(tasks).join(', ')}.`)
  process.exit(2)
}
const more = [...(name === 'test' ? testTools : []), ...(withLeanKernel ? leanKernelTools : [])]
process.exit((await hostRequirements(more)) ? await task(args) : 1)

/** Before the tests, which have limits of time. */
async function compileLeanKernel(): Promise<void> {
  const cacheDir = process.env.ALEPH_CACHE_DIR ?? join(root, '.cache/guest')
  await buildGuestImages({ cacheDir, kernel: 'lean', onProgress: (step) => console.log(`▸ ${step}`) })
}
