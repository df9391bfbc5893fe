import process from 'node:process'
import { styleText } from 'node:util'

/** What the devnet tells while it works: one line per thing, with its time once it is done. */
export interface Progress {
  /** Runs `work`, showing `what` and how long it took. */
  step<T>(what: string, work: (note: (detail: string) => void) => Promise<T>): Promise<T>
  /** One line of news. */
  note(text: string): void
}

/** Lines on standard output; on a terminal the running line is rewritten in place. */
export function terminalProgress(): Progress {
  const live = process.stdout.isTTY
  return {
    async step(what, work) {
      const started = performance.now()
      const rewrite = (text: string) => {
        if (live) process.stdout.write(`\r\u001b[K${styleText('cyan', '…')} ${text}`)
      }
      rewrite(what)
      try {
        const result = await work((detail) => rewrite(`${what} ${styleText('dim', detail)}`))
        finish(live, `${styleText('green', '✓')} ${what}`, started)
        return result
      } catch (error) {
        finish(live, `${styleText('red', '✗')} ${what}`, started)
        throw error
      }
    },
    note(text) {
      process.stdout.write(`${live ? '\r\u001b[K' : ''}${text}\n`)
    },
  }
}

/** For tests: says nothing. */
export function silentProgress(): Progress {
  return { step: (_what, work) => work(() => {}), note: () => {} }
}

function finish(live: boolean, text: string, started: number): void {
  const took = styleText('dim', formatMs(performance.now() - started))
  process.stdout.write(`${live ? '\r\u001b[K' : ''}${text} ${took}\n`)
}

export function formatMs(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}
