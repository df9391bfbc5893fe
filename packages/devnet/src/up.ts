import { join } from 'node:path'
import process from 'node:process'
import { Devnet } from './devnet.ts'
import type { JobReport } from './main-job/job-report.ts'
import { runMainJob } from './main-job/main-job.ts'
import { type DevnetOptions, parseOptions, UsageError, usage } from './options.ts'
import { type Progress, terminalProgress } from './progress.ts'
import { summary } from './summary.ts'

const forceAfterMs = 3_000

/** `npm run up`: starts a network, does the main job, and stays up until told to stop. Answers an exit code. */
export async function up(args: string[]): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'number') return options
  const progress = terminalProgress()
  const stop = stopSignal()
  const report = await runNetwork(options, progress, stop).catch((error: Error): JobReport => {
    if (!stop.aborted) console.error(`\n✗ ${error.message}`)
    return { ok: stop.aborted && !options.once, steps: [], error: error.message }
  })
  if (options.once) console.log(JSON.stringify(report))
  return report.ok ? 0 : 1
}

/** Where guest images are kept between networks. */
export function guestCacheDir(): string {
  return process.env.ALEPH_CACHE_DIR ?? join(import.meta.dirname, '../../../.cache/guest')
}

/** Answers what became of the main job; without `--once` it ends by the rejection a stop causes. */
async function runNetwork(options: DevnetOptions, progress: Progress, stop: AbortSignal): Promise<JobReport> {
  await using devnet = await Devnet.create({ ...options, guestCacheDir: guestCacheDir(), progress })
  const stopped = new Promise<never>((_, reject) => {
    stop.addEventListener('abort', () => {
      progress.note('\nStopping …')
      reject(new Error('stopped by a signal'))
    })
  })
  const network = await Promise.race([devnet.start(), stopped])
  const report = options.quick
    ? { ok: true, steps: [] }
    : await Promise.race([runMainJob(devnet, progress), stopped])
  if (options.once) return report

  if (report.error) progress.note(`✗ ${report.error}`)
  if (report.program) progress.note(`\n  ${report.program.url}\n  ${report.program.body}`)
  progress.note(summary(network, options.dataDir))
  progress.note('  Ctrl-C stops it all.')
  return await stopped
}

function readOptions(args: string[]): DevnetOptions | number {
  try {
    const options = parseOptions(args)
    if (options !== 'help') return options
    console.log(usage)
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`✗ ${error.message}\n\n${usage}`)
    return 2
  }
}

/**
 * Aborts at the first Ctrl-C or SIGTERM. npm passes on a Ctrl-C that the terminal has already sent to the whole
 * group, so only one that comes later ends us by force.
 */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  let first = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      first ||= Date.now()
      stop.abort()
      if (Date.now() - first > forceAfterMs) process.exit(130)
    })
  }
  return stop.signal
}
