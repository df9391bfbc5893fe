import { bytesToHex } from 'viem'
import { mnemonicToAccount } from 'viem/accounts'

/** The mnemonic every Ethereum development tool uses. Its keys are public: never send them real money. */
export const devMnemonic = 'test test test test test test test test test test test junk'

/** An account of a local chain: EIP-55 address, and private key as 0x and 64 hex digits. */
export interface DevAccount {
  address: `0x${string}`
  privateKey: `0x${string}`
}

/** The first `count` accounts of the development mnemonic, in anvil's order. */
export function devAccounts(count: number): DevAccount[] {
  return Array.from({ length: count }, (_, addressIndex) => {
    const account = mnemonicToAccount(devMnemonic, { addressIndex })
    const privateKey = account.getHdKey().privateKey
    if (!privateKey) throw new Error('the development mnemonic gave no private key')
    return { address: account.address, privateKey: bytesToHex(privateKey) }
  })
}
