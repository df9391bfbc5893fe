import { parentPort } from 'node:worker_threads'
import { type SignedMessage, verifySignature } from '@aleph-ts/protocol'

/** Runs in a thread of its own: answers every list of messages with a list of verdicts. */
parentPort!.on('message', (messages: SignedMessage[]) => {
  parentPort!.postMessage(messages.map((message) => verifySignature(message)))
})
