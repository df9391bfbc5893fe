import {
  canonicalForm,
  type NetworkProfile,
  ProtocolError,
  parseContentText,
  parseFetchedContent,
  parseInlineContent,
} from '@aleph-ts/protocol'
import { requireTimely } from '../inbox/content-time.ts'
import type { FileStore } from '../storage/file-store.ts'
import { alive, type Candidate, fail } from './candidate.ts'

/** Largest content of a non-inline message, bytes. */
const largestContent = 10 * 1024 * 1024
/** Fetched contents of one batch together, bytes. */
const largestBatch = 32 * 1024 * 1024

export interface CheckTools {
  fileStore: Pick<FileStore, 'stat' | 'readBytes'>
  profile: Pick<NetworkProfile, 'limits'>
}

/**
 * First step: gives every candidate its parsed content (protocol 02 F2). Format and signature of the envelope were
 * checked at the door; inline contents usually come parsed from there.
 */
export async function check(candidates: Candidate[], tools: CheckTools): Promise<void> {
  let bytes = 0
  for (const candidate of alive(candidates)) {
    if (candidate.parsed) continue
    if (bytes > largestBatch) {
      candidate.outcome = { kind: 'deferred', until: 'the next batch' }
      continue
    }
    try {
      await parse(candidate, tools)
      bytes += candidate.fetchedContent?.bytes ?? 0
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      fail(candidate, error)
    }
  }
}

async function parse(candidate: Candidate, { fileStore, profile }: CheckTools): Promise<void> {
  const { envelope } = candidate
  if (envelope.item_type === 'inline') {
    candidate.parsed = parseInlineContent(envelope)
    return
  }
  const found = await fileStore.stat(envelope.item_hash)
  if (found?.type === 'dir') throw invalidContent('is a folder, not a file')
  if (found && found.size > largestContent) throw invalidContent(`larger than ${largestContent} bytes`)
  const bytes = await fileStore.readBytes(envelope.item_hash)
  if (bytes === undefined) {
    candidate.outcome = { kind: 'failed', error: contentUnavailable(envelope.item_hash), refetch: true }
    return
  }
  const text = decodeUtf8(bytes)
  const parsed = parseFetchedContent(envelope, text)
  requireTimely(parsed.content.time, profile.limits.futureSeconds)
  candidate.parsed = parsed
  const canonical = canonicalForm(envelope, text)
  if (canonical !== envelope) {
    candidate.envelope = canonical
    candidate.becameInline = true
    return
  }
  const given = parseContentText(text)
  // The text as it is keeps every digit; only old contents lack what parsing adds.
  const isComplete = given.address != null && given.time != null
  candidate.fetchedContent = { text: isComplete ? text : JSON.stringify(parsed.raw), bytes: bytes.byteLength }
}

export function contentUnavailable(hash: string): ProtocolError {
  return new ProtocolError('CONTENT_UNAVAILABLE', {
    errors: [`File not found: ${hash} (could not fetch message content)`],
  })
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalidContent('not valid UTF-8')
  }
}

function invalidContent(complaint: string): ProtocolError {
  const reason = `content: ${complaint}`
  return new ProtocolError('INVALID_FORMAT', { message: reason, errors: [reason] })
}
