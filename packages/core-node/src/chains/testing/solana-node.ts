import { createHash } from 'node:crypto'
import { base58 } from '@scure/base'
import { JsonService } from './json-service.ts'

/** A transaction of the program: its log, or that it failed. */
export interface ProgramTransaction {
  signature: string
  slot: number
  logs: string[]
  failed?: boolean
}

interface Question {
  method: string
  params: [string, { before?: string; limit: number; minContextSlot: number }]
}

/** Stands in for a node of Solana: the transactions of one program, newest first, and what they logged. */
export class SolanaNode extends JsonService {
  /** Oldest first. */
  transactions: ProgramTransaction[] = []
  slot = 0
  oldestSlot = 0

  constructor() {
    super((question: Question) => ({ jsonrpc: '2.0', id: 1, ...this.#answer(question) }))
  }

  #answer({ method, params }: Question): { result: unknown } | { error: { code: number; message: string } } {
    switch (method) {
      case 'getSlot':
        return { result: this.slot }
      case 'getFirstAvailableBlock':
        return { result: this.oldestSlot }
      case 'getTransaction':
        return { result: this.#transaction(params[0]) }
      case 'getSignaturesForAddress':
        if (params[1].minContextSlot > this.slot) {
          return { error: { code: -32016, message: 'Minimum context slot has not been reached' } }
        }
        return { result: this.#signatures(params[1]) }
      default:
        return { error: { code: -32601, message: 'Method not found' } }
    }
  }

  #transaction(signature: string) {
    const found = this.transactions.find((transaction) => transaction.signature === signature)
    if (!found) return null
    const { slot, logs, failed } = found
    const err = failed ? { InstructionError: [0, 'Custom'] } : null
    return {
      slot,
      blockTime: 1_700_000_000 + slot,
      meta: { err, logMessages: logs },
      transaction: { signatures: [signature] },
    }
  }

  #signatures({ before, limit }: { before?: string; limit: number }) {
    const newestFirst = this.transactions.toReversed()
    const start = before ? newestFirst.findIndex(({ signature }) => signature === before) + 1 : 0
    return newestFirst.slice(start, start + limit).map(({ signature, slot, failed }) => ({
      signature,
      slot,
      err: failed ? { InstructionError: [0, 'Custom'] } : null,
      memo: null,
      blockTime: 1_700_000_000 + slot,
      confirmationStatus: 'finalized',
    }))
  }
}

/** The log of a call to the program that emits events. */
export function programLog(program: string, ...data: string[]): string[] {
  return [
    `Program ${program} invoke [1]`,
    'Program log: Instruction: DoMessage',
    ...data.map((line) => `Program data: ${line}`),
    `Program ${program} consumed 5000 of 200000 compute units`,
    `Program ${program} success`,
  ]
}

/** An event in Anchor's layout, base64. */
export function anchorEvent(name: 'MessageEvent' | 'SyncEvent', address: string, ...texts: string[]): string {
  const tag = createHash('sha256').update(`event:${name}`).digest().subarray(0, 8)
  const parts = texts.flatMap((text) => {
    const bytes = Buffer.from(text)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(bytes.length)
    return [length, bytes]
  })
  return Buffer.concat([tag, base58.decode(address), ...parts]).toString('base64')
}
