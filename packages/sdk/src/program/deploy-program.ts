import { type ClientContext, requireAccount } from '../client/client-context.ts'
import type { FileSource } from '../file/hash-file.ts'
import { type UploadedFile, uploadFile } from '../file/upload-file.ts'
import { buildProgram, type ProgramFields } from '../message/build-program.ts'
import { type SentMessage, sendMessage } from '../message/send-message.ts'
import { waitForMessage } from '../message/wait-for-message.ts'
import { type Allocation, waitForAllocation } from './get-allocation.ts'

export type DeployStep = 'uploading' | 'sending' | 'processing' | 'allocating' | 'ready'

export interface DeployProgramParams extends Omit<ProgramFields, 'code'> {
  /** The packed code itself, or the item hash of a STORE message that holds it. */
  code: FileSource
  channel?: string
  owner?: string
  /** How far to wait: until a compute node has it (default), or only until it is processed. */
  until?: 'processed' | 'allocated'
  /** Milliseconds for each wait; one minute by default. */
  timeoutMs?: number
  /** Called when a step begins. */
  onStep?: (step: DeployStep) => void
  signal?: AbortSignal
}

export interface DeployedProgram {
  itemHash: string
  envelope: SentMessage['envelope']
  /** The uploaded code; null when a hash was given. */
  code: UploadedFile | null
  allocation: Allocation | null
  /** Where it answers; null when not waited for. */
  url: string | null
}

/**
 * Puts a program on the network: stores its code, sends the PROGRAM message, and waits until a compute node
 * has it.
 *
 * @throws MessageRejectedError (among others when the balance is too low), AlephError `timeout`.
 * @example
 * const program = await deployProgram(context, { code: zipBytes, runtime, entrypoint: 'index.ts' })
 * console.log(program.url)
 */
export async function deployProgram(
  context: ClientContext,
  params: DeployProgramParams,
): Promise<DeployedProgram> {
  const account = requireAccount(context)
  const { onStep, until = 'allocated', ...fields } = params
  const wait = {
    ...(params.timeoutMs === undefined ? {} : { timeoutMs: params.timeoutMs }),
    ...(params.signal ? { signal: params.signal } : {}),
  }
  const code = await storeCode(context, params, wait)
  const built = buildProgram(
    { ...fields, code: code?.itemHash ?? (params.code as string) },
    {
      account,
      channel: params.channel ?? context.channel,
      ...(params.owner === undefined ? {} : { owner: params.owner }),
    },
  )
  onStep?.('sending')
  const sent = await sendMessage(context, built, wait)
  onStep?.('processing')
  if (sent.status === 'pending') await waitForMessage(context, sent.itemHash, wait)
  const program = { itemHash: sent.itemHash, envelope: sent.envelope, code }
  if (until === 'processed') return { ...program, allocation: null, url: null }
  onStep?.('allocating')
  const allocation = await waitForAllocation(context, sent.itemHash, wait)
  onStep?.('ready')
  return { ...program, allocation, url: `${allocation.computeNode.url}/vm/${sent.itemHash}/` }
}

/** Uploads code given as bytes, and waits until the network knows it; null when it is there by hash. */
async function storeCode(
  context: ClientContext,
  params: DeployProgramParams,
  wait: { timeoutMs?: number; signal?: AbortSignal },
): Promise<UploadedFile | null> {
  if (typeof params.code === 'string') return null
  params.onStep?.('uploading')
  const stored = await uploadFile(context, {
    file: params.code,
    ...(params.channel === undefined ? {} : { channel: params.channel }),
    ...(params.owner === undefined ? {} : { owner: params.owner }),
    ...(params.paymentType === 'credit' ? { paymentType: 'credit' } : {}),
    ...(params.signal ? { signal: params.signal } : {}),
  })
  if (stored.status === 'pending') await waitForMessage(context, stored.itemHash, wait)
  return stored
}
