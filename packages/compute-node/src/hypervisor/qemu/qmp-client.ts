import { EventEmitter } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { HypervisorError } from '../hypervisor.ts'

const maxLineBytes = 1024 * 1024
const commandTimeoutMs = 10_000

interface Pending {
  resolve: (value: unknown) => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

interface QmpEvents {
  event: [name: string, data: Record<string, unknown>]
  close: []
}

/** QEMU's machine protocol over its UNIX socket: numbered commands, answers in any order, events. */
export class QmpClient extends EventEmitter<QmpEvents> {
  readonly #socket: Socket
  readonly #pending = new Map<number, Pending>()
  #received = ''
  #nextId = 1
  #closed = false
  #greeted!: () => void
  readonly #greeting: Promise<void>

  private constructor(socket: Socket) {
    super()
    this.#socket = socket
    this.#greeting = new Promise((resolve) => {
      this.#greeted = resolve
    })
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => this.#read(text))
    // The 'close' that always follows an error is what ends the client.
    socket.on('error', () => {})
    socket.on('close', () => this.#end())
  }

  /**
   * Connects and negotiates. `socket` may be given already connected (then `path` only names it).
   *
   * @throws HypervisorError `hypervisor_failed` when nobody listens, `hypervisor_timeout` when QEMU is mute.
   */
  static async connect(path: string, socket: Socket = createConnection(path)): Promise<QmpClient> {
    const client = new QmpClient(socket)
    const timer = setTimeout(() => socket.destroy(), commandTimeoutMs)
    try {
      await Promise.race([
        client.#greeting,
        new Promise((_, reject) =>
          client.once('close', () =>
            reject(new HypervisorError('hypervisor_failed', `QEMU closed its control socket ${path}`)),
          ),
        ),
      ])
      await client.execute('qmp_capabilities')
      return client
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Runs one command; rejects with QEMU's own words when it refuses. */
  execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#goneError(command))
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id)
        reject(
          new HypervisorError(
            'hypervisor_timeout',
            `QEMU did not answer ${command} in ${commandTimeoutMs / 1000} s`,
          ),
        )
      }, commandTimeoutMs)
      this.#pending.set(id, { resolve, reject, timer })
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`)
    })
  }

  /** Resolves with the data of the next event `matches` accepts; rejects when QEMU goes or time is up. */
  waitFor(
    name: string,
    matches: (data: Record<string, unknown>) => boolean,
    timeoutMs: number,
  ): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer)
        this.off('event', onEvent)
        this.off('close', onClose)
        settle()
      }
      const onEvent = (event: string, data: Record<string, unknown>) => {
        if (event === name && matches(data)) finish(() => resolve(data))
      }
      const onClose = () => finish(() => reject(this.#goneError(name)))
      const timer = setTimeout(
        () =>
          finish(() =>
            reject(
              new HypervisorError('hypervisor_timeout', `QEMU sent no ${name} event in ${timeoutMs} ms`),
            ),
          ),
        timeoutMs,
      )
      this.on('event', onEvent)
      this.on('close', onClose)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #read(text: string): void {
    this.#received += text
    if (this.#received.length > maxLineBytes) {
      this.#socket.destroy()
      return
    }
    const lines = this.#received.split('\n')
    this.#received = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') this.#receive(line)
  }

  #receive(line: string): void {
    let message: {
      QMP?: unknown
      event?: string
      data?: Record<string, unknown>
      id?: number
      return?: unknown
      error?: { class?: string; desc?: string }
    }
    try {
      message = JSON.parse(line)
    } catch {
      this.#socket.destroy()
      return
    }
    if (message.QMP !== undefined) this.#greeted()
    else if (message.event !== undefined) this.emit('event', message.event, message.data ?? {})
    else if (message.id !== undefined) {
      const pending = this.#pending.get(message.id)
      if (!pending) return
      this.#pending.delete(message.id)
      clearTimeout(pending.timer)
      if (message.error) {
        pending.reject(
          new HypervisorError(
            'hypervisor_failed',
            `QEMU refused: ${message.error.desc ?? 'no reason given'}`,
          ),
        )
      } else pending.resolve(message.return)
    }
  }

  #end(): void {
    this.#closed = true
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer)
      reject(this.#goneError('a command'))
    }
    this.#pending.clear()
    this.emit('close')
  }

  #goneError(during: string): HypervisorError {
    return new HypervisorError('hypervisor_failed', `QEMU is gone (while waiting for ${during})`)
  }
}
