import { styleText } from 'node:util'
import { spinner } from '@clack/prompts'
import type { Terminal } from './terminal.ts'

export type Style = Parameters<typeof styleText>[0]

/** What a step in progress can tell. */
export interface Step {
  update(text: string): void
  done(text: string): void
  fail(text: string): void
}

/** Writes results to standard output (one JSON document with --json) and everything else to standard error. */
export class Output {
  readonly json: boolean
  readonly #terminal: Terminal

  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal
    this.json = json
  }

  /** The result of a command: a JSON document, or the text people read. */
  result(document: unknown, text: () => string): void {
    this.#terminal.stdout.write(`${this.json ? JSON.stringify(document, null, 2) : text()}\n`)
  }

  /** A remark beside the result; silent with --json. */
  note(text: string): void {
    if (!this.json) this.#terminal.stderr.write(`${text}\n`)
  }

  /** Something taking its time: a spinner on a terminal, a line per step elsewhere, nothing with --json. */
  step(text: string): Step {
    if (this.json) return { update: () => {}, done: () => {}, fail: () => {} }
    if (!this.#terminal.stderr.isTTY) {
      const line = (words: string) => this.note(words)
      line(`${text} …`)
      return { update: (words) => line(`${words} …`), done: line, fail: line }
    }
    const shown = spinner({ output: this.#terminal.stderr, signal: this.#terminal.signal })
    shown.start(text)
    return {
      update: (words) => shown.message(words),
      done: (words) => shown.stop(words),
      fail: (words) => shown.error(words),
    }
  }

  /** Colours text for a terminal; leaves it alone elsewhere. */
  style(style: Style, text: string): string {
    const colour = this.#terminal.stdout.isTTY && !this.#terminal.env.NO_COLOR
    return colour ? styleText(style, text, { validateStream: false }) : text
  }
}
