export { type AlephPayment, alephDecimals, readAlephBalance, transferAleph } from './aleph.ts'
export { type DeployedContracts, deployContracts, type EvmSigner, TransactionFailedError } from './deploy.ts'
export { alephSyncAbi, alephSyncBytecode } from './generated/aleph-sync.ts'
export { alephTokenAbi, alephTokenBytecode } from './generated/aleph-token.ts'
