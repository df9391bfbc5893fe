import { defineConfig } from 'vitest/config'

/**
 * Tests stand beside the code (`src/**\/*.test.ts`) or, when they need a whole process, in `test/`.
 * Those that take long end in `.scenario.test.ts`; `npm test` of one package leaves them out.
 * Files run two at a time: the suite is sized for two cores.
 */
export default defineConfig({
  test: {
    include: ['packages/*/{src,test}/**/*.test.ts', 'scripts/**/*.test.ts'],
    // A busy machine is slow, not wrong: guests are emulated, and boot many times as slowly as they do alone.
    testTimeout: 180_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 15_000 } },
    maxWorkers: 2,
    pool: 'forks',
  },
})
