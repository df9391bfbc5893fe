import { EventEmitter, on } from 'node:events'
import { appendFile, readFile, rename, rm, stat } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogLine, LogOptions } from './vm-spec.ts'

const maxLineLength = 16 * 1024
const maxUnwrittenLength = 1024 * 1024
const tailLines = 40

interface ConsoleLogEvents {
  line: [LogLine]
}

/**
 * A VM's console as time-stamped lines: the last ones in memory, more in two files that together never
 * exceed `maxBytes`, whatever the guest prints. Survives the VM; `remove` deletes it.
 */
export class ConsoleLog extends EventEmitter<ConsoleLogEvents> {
  readonly #path: string
  readonly #maxFileBytes: number
  readonly #decoder = new StringDecoder('utf8')
  #partial = ''
  #writtenAt = 0
  #tail: string[] = []
  #unwritten = ''
  #dropped = 0
  #fileBytes: number | null = null
  #writing: Promise<void> | null = null

  constructor(path: string, maxBytes: number) {
    super()
    this.setMaxListeners(0)
    this.#path = path
    this.#maxFileBytes = Math.max(1, Math.floor(maxBytes / 2))
  }

  /** Takes a line that was put together elsewhere. */
  addLine(text: string): void {
    this.#add(text)
  }

  /** Takes raw console output. */
  write(chunk: Uint8Array): void {
    this.#writtenAt = Date.now()
    const lines = (this.#partial + this.#decoder.write(Buffer.from(chunk))).split('\n')
    this.#partial = lines.pop() ?? ''
    for (const line of lines) this.#add(line)
    while (this.#partial.length > maxLineLength) {
      this.#add(this.#partial.slice(0, maxLineLength))
      this.#partial = this.#partial.slice(maxLineLength)
    }
  }

  /** Resolves once nothing was printed for `quietMs`, or after `maxMs`. */
  async settle(quietMs: number, maxMs: number): Promise<void> {
    const deadline = Date.now() + maxMs
    while (Date.now() < deadline && Date.now() - this.#writtenAt < quietMs) await sleep(quietMs / 2)
  }

  /** Ends an unfinished last line, as when the machine is gone. */
  endLine(): void {
    if (this.#partial !== '') this.#add(this.#partial)
    this.#partial = ''
  }

  /** The last lines since `forgetTail`, for error messages. */
  tail(): string {
    return [...this.#tail, this.#partial].join('\n').trim()
  }

  /** Begins a new start: what an earlier one printed does not explain it. */
  forgetTail(): void {
    this.#tail = []
  }

  /** Kept lines, oldest first; then, with `follow`, every new one until the signal aborts. */
  async *read(options: LogOptions = {}): AsyncIterable<LogLine> {
    const since = options.since ?? 0
    // Subscribed before reading, so that no line falls between the file and the stream of new ones.
    const live = options.follow ? on(this, 'line', { signal: options.signal }) : null
    await this.flush()
    const kept = (await this.#readFiles()).filter((line) => line.time >= since)
    yield* options.limit === undefined ? kept : kept.slice(Math.max(0, kept.length - options.limit))
    if (!live) return
    try {
      for await (const [line] of live) yield line as LogLine
    } catch (error) {
      if (!options.signal?.aborted) throw error
    }
  }

  /** Resolves when every line taken so far is in the file. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing
  }

  async remove(): Promise<void> {
    await this.flush()
    await Promise.all([rm(this.#path, { force: true }), rm(`${this.#path}.1`, { force: true })])
    this.#fileBytes = null
  }

  #add(raw: string): void {
    const text = raw.replace(/\r+$/, '').slice(0, maxLineLength)
    const now = new Date()
    this.#tail.push(text)
    if (this.#tail.length > tailLines) this.#tail.shift()
    this.emit('line', { time: now.getTime() / 1000, text })
    if (this.#unwritten.length > maxUnwrittenLength) {
      this.#dropped++
      return
    }
    if (this.#dropped > 0) {
      this.#unwritten += `${now.toISOString()} [${this.#dropped} lines were dropped: printed too fast]\n`
      this.#dropped = 0
    }
    this.#unwritten += `${now.toISOString()} ${text}\n`
    this.#writing ??= this.#writeOut().finally(() => {
      this.#writing = null
    })
  }

  async #writeOut(): Promise<void> {
    while (this.#unwritten !== '') {
      const text = this.#unwritten
      this.#unwritten = ''
      try {
        this.#fileBytes ??= await fileSize(this.#path)
        if (this.#fileBytes >= this.#maxFileBytes) {
          await rename(this.#path, `${this.#path}.1`)
          this.#fileBytes = 0
        }
        await appendFile(this.#path, text, { mode: 0o600 })
        this.#fileBytes += Buffer.byteLength(text)
      } catch (error) {
        // A full disk must not take the VM down; the tail in memory stays.
        this.#tail.push(`[log file not written: ${error instanceof Error ? error.message : String(error)}]`)
        return
      }
    }
  }

  async #readFiles(): Promise<LogLine[]> {
    const texts = await Promise.all([readText(`${this.#path}.1`), readText(this.#path)])
    return texts.flatMap((text) => text.split('\n')).flatMap(parseLine)
  }
}

function parseLine(line: string): LogLine[] {
  const blank = line.indexOf(' ')
  const time = Date.parse(line.slice(0, blank)) / 1000
  return blank < 0 || Number.isNaN(time) ? [] : [{ time, text: line.slice(blank + 1) }]
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}
