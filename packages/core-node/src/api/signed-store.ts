import {
  type Envelope,
  ProtocolError,
  parseEnvelope,
  parseInlineContent,
  type StoreContent,
} from '@aleph-ts/protocol'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { SignatureVerifier } from '../identity/signature-verifier.ts'
import { InboxUnavailableError } from '../inbox/inbox.ts'
import { storeShortfall } from '../pipeline/store-shortfall.ts'
import { shortenGrace } from '../state/files.ts'
import { ApiError } from './api-error.ts'
import { publish } from './publish-routes.ts'
import type { ApiContext, ApiServices } from './server.ts'

const metadataSchema = z.object({ message: z.record(z.string(), z.unknown()), sync: z.boolean() })

/** A STORE message that came with its file (protocol 03 §9.3). */
export interface SignedStore {
  /** As it was sent. */
  message: Record<string, unknown>
  /** Whether the sender waits for the outcome. */
  sync: boolean
  envelope: Envelope
  content: StoreContent
}

/**
 * Reads the metadata of an upload.
 *
 * @throws {ApiError} 422 for what is no inline STORE message of the item type, 403 for a signature that is not the
 * sender's
 */
export async function readSignedStore(
  metadata: string,
  itemType: StoreContent['item_type'],
  verifier: SignatureVerifier,
): Promise<SignedStore> {
  const { message, sync } = parseMetadata(metadata)
  const envelope = await readEnvelope(message, verifier)
  const content = readContent(envelope)
  if (content.item_type !== itemType) {
    const reason = `422: Expected item_type=${itemType} in STORE message, got ${content.item_type}`
    throw new ApiError(422, 'wrong_item_type', reason)
  }
  return { message, sync, envelope, content }
}

/** @throws {ApiError} 422 when the message names another file than the one that came with it */
export function requireHash(store: SignedStore, hash: string, what = 'File hash'): void {
  const declared = store.content.item_hash
  if (declared === hash) return
  throw new ApiError(422, 'hash_mismatch', `422: ${what} does not match (${hash} != ${declared})`)
}

/** A file that came with a message. */
export interface UploadedFile {
  hash: string
  size: number
  /** Nothing had kept it before: when its message is refused, it goes soon. */
  isNew: boolean
}

/**
 * Publishes the message of an upload and answers with what became of it, beside the upload's own `answer`.
 *
 * @throws {ApiError} 402 when the owner cannot pay for the file; 422 when the message names another one
 */
export async function publishStore(
  context: ApiContext,
  services: ApiServices,
  store: SignedStore,
  file: UploadedFile,
  answer: Record<string, unknown>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  try {
    requireHash(store, file.hash)
    await requirePayment(context, store, file.size)
  } catch (error) {
    await refuseUpload(context, file)
    throw error
  }
  const { httpStatus, body } = await publish(context, services, store.message, store.sync)
  if (body.message_status === 'rejected') await refuseUpload(context, file)
  return reply.code(httpStatus).send({ ...answer, ...body })
}

/** Lets a file go that came with what was refused. */
export async function refuseUpload({ writes }: ApiContext, file: UploadedFile): Promise<void> {
  if (file.isNew) await shortenGrace(writes, file.hash)
}

async function requirePayment(context: ApiContext, store: SignedStore, size: number): Promise<void> {
  const shortfall = await storeShortfall(context, store.envelope, store.content, size)
  if (!shortfall) return
  const { code, errorCode, details, message } = shortfall
  throw new ApiError(402, code, `402: Payment Required: ${message}`, { error_code: errorCode, details })
}

function parseMetadata(text: string): z.output<typeof metadataSchema> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badMetadata('not JSON')
  }
  const parsed = metadataSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ code, path, message }) => ({
    type: code,
    loc: path,
    msg: message,
  }))
  throw badMetadata(JSON.stringify(issues))
}

async function readEnvelope(message: unknown, verifier: SignatureVerifier): Promise<Envelope> {
  try {
    const envelope = parseEnvelope(message)
    if (envelope.type !== 'STORE' || envelope.item_type !== 'inline') {
      throw badMetadata('message: must be a STORE message with item_type "inline"')
    }
    const verdict = await verifier.verify(envelope)
    if (verdict.outcome === 'unknown') throw new InboxUnavailableError(verdict.error.message)
    if (verdict.outcome === 'valid') return envelope
    const { code, errorCode, message: reason } = verdict.error
    if (code !== 'INVALID_SIGNATURE') throw verdict.error
    throw new ApiError(403, code, `403: Forbidden: ${reason}`, { error_code: errorCode })
  } catch (error) {
    if (error instanceof ProtocolError) throw badMetadata(error.message)
    throw error
  }
}

function readContent(envelope: Envelope): StoreContent {
  try {
    return parseInlineContent(envelope).content as StoreContent
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const reason = `422: Invalid store message content: ${error.message}`
    throw new ApiError(422, error.code, reason, { error_code: error.errorCode, details: error.details })
  }
}

function badMetadata(reason: string): ApiError {
  return new ApiError(422, 'INVALID_FORMAT', `422: Could not decode metadata: ${reason}`, { error_code: 0 })
}
