export { httpProvider } from './http-provider.ts'
export { keyProvider } from './key-provider.ts'
export { PaymentStreams, type PaymentStreamsOptions, type StreamReceivers } from './payment-streams.ts'
export { readStreamRate } from './read-stream-rate.ts'
