import { parentPort } from 'node:worker_threads'
import { type SignedMessage, verifySignature } from '@aleph-ts/protocol'

/** What a worker is sent; it answers with one byte for each message, 1 when the signature is the sender's. */
export interface VerifyJob {
  messages: SignedMessage[]
}

parentPort?.on('message', ({ messages }: VerifyJob) => {
  parentPort?.postMessage(Uint8Array.from(messages, (message) => (verifySignature(message) ? 1 : 0)))
})
