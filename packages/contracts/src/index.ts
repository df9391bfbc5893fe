export { type AlephPayment, alephDecimals, readAlephBalance, transferAleph } from './aleph.ts'
export {
  type DeployedContracts,
  deployContracts,
  deployCredits,
  type EvmSigner,
  TransactionFailedError,
} from './deploy.ts'
export { alephCreditsAbi, alephCreditsBytecode } from './generated/aleph-credits.ts'
export { alephSyncAbi, alephSyncBytecode } from './generated/aleph-sync.ts'
export { alephTokenAbi, alephTokenBytecode } from './generated/aleph-token.ts'
export { guestbookAbi, guestbookBytecode } from './generated/guestbook.ts'
export { ownedWalletAbi, ownedWalletBytecode } from './generated/owned-wallet.ts'
