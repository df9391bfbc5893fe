import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { CoreNodeConfig } from '../config.ts'
import { askNode, urlOf } from './running-node.ts'

const concurrency = 16
/** A node whose inbox is full is asked again after this long, ms. */
const pauseMs = 500
const mostTries = 120

const lineSchema = z.object({ message: z.record(z.string(), z.unknown()), content: z.string().optional() })

/** An export cannot be taken in; the message names the line. */
export class ImportError extends Error {
  readonly code = 'import_failed'
}

/** Hands exported messages to a running node, which checks each like any other; sets the exit code when some fail. */
export async function importMessages(
  config: CoreNodeConfig,
  path: string | undefined,
  options: { url?: string },
): Promise<void> {
  const url = urlOf(config, options.url)
  const lines = createInterface({ input: path ? createReadStream(path) : process.stdin })
  const tally = { accepted: 0, refused: 0 }
  const underWay = new Set<Promise<void>>()
  let number = 0
  let failure: unknown
  for await (const line of lines) {
    number += 1
    if (failure !== undefined) break
    if (line.trim() === '') continue
    const work = hand(url, parseLine(line, number), tally)
      .catch((error: unknown) => {
        failure ??= error
      })
      .finally(() => underWay.delete(work))
    underWay.add(work)
    if (underWay.size >= concurrency) await Promise.race(underWay)
  }
  await Promise.all(underWay)
  if (failure !== undefined) throw failure
  process.stderr.write(`${tally.accepted} messages taken in, ${tally.refused} refused\n`)
  if (tally.refused > 0) process.exitCode = 1
}

function parseLine(line: string, number: number): z.infer<typeof lineSchema> {
  try {
    return lineSchema.parse(JSON.parse(line))
  } catch (error) {
    throw new ImportError(`Line ${number} is not of an export: ${(error as Error).message}`, { cause: error })
  }
}

async function hand(
  url: string,
  { message, content }: z.infer<typeof lineSchema>,
  tally: { accepted: number; refused: number },
): Promise<void> {
  if (content !== undefined && message.item_type === 'storage') await upload(url, content)
  const body = JSON.stringify({ message, sync: false })
  const response = await post(url, '/api/v0/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  await response.body?.cancel()
  if (response.ok) {
    tally.accepted += 1
    return
  }
  tally.refused += 1
  process.stderr.write(`refused (${response.status}): ${String(message.item_hash)}\n`)
}

/** The content of a message may be held by nobody else. */
async function upload(url: string, content: string): Promise<void> {
  const body = new FormData()
  body.append('file', new Blob([content]))
  const response = await post(url, '/api/v0/storage/add_file', { method: 'POST', body })
  await response.body?.cancel()
}

async function post(url: string, path: string, init: RequestInit): Promise<Response> {
  for (let tries = 1; ; tries++) {
    const response = await askNode(url, path, init)
    if ((response.status !== 503 && response.status !== 429) || tries >= mostTries) return response
    await response.body?.cancel()
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
