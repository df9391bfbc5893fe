import { bytesToHex } from '@noble/hashes/utils.js'
import { signatureScheme } from '../message/chains.ts'
import { isEvmAddress, personalMessageDigest } from './evm.ts'
import { verificationBuffer } from './verification-buffer.ts'
import type { SignedMessage } from './verify-signature.ts'

/** How a contract is asked: where it stands (ERC-1271), or before it has been deployed (ERC-6492). */
export type SmartWalletStandard = 'erc1271' | 'erc6492'

/** The question to a node of the chain: the fields of `eth_call`, all in hex with 0x. */
export interface SmartWalletCall {
  standard: SmartWalletStandard
  /** Absent for ERC-6492, whose question is the creation code of a contract that nobody deploys. */
  to?: string
  data: string
}

const isValidSignature = '1626ba7e'
const counterfactualMark = '6492'.repeat(16)
const hexSignature = /^0[xX](?:[0-9a-fA-F]{2})+$/

/**
 * The call that tells whether the contract at the sender's address takes the signature (protocol 01 §4.4).
 *
 * Ask it when {@link verifySignature} said no, on the RPC of the message's own chain: wallets bind the chain id.
 * An ERC-1271 question has a meaning only while there is code at the address.
 *
 * @param validatorCode creation code of the universal off-chain validator of EIP-6492, hex with 0x
 * @returns null when no smart wallet can have made the signature.
 */
export function smartWalletCall(message: SignedMessage, validatorCode: string): SmartWalletCall | null {
  const { chain, sender, signature } = message
  if (signatureScheme(chain) !== 'evm' || !isEvmAddress(sender)) return null
  if (signature === null || !hexSignature.test(signature)) return null
  const hash = bytesToHex(personalMessageDigest(verificationBuffer(message)))
  const bytes = signature.slice(2).toLowerCase()
  if (!isCounterfactualSignature(signature)) {
    return { standard: 'erc1271', to: sender, data: `0x${isValidSignature}${hash}${tail(2, bytes)}` }
  }
  const signer = sender.slice(2).toLowerCase().padStart(64, '0')
  return { standard: 'erc6492', data: `${validatorCode}${signer}${hash}${tail(3, bytes)}` }
}

/** Whether a signature brings along what deploys its wallet: it ends in the mark of ERC-6492. */
export function isCounterfactualSignature(signature: string): boolean {
  return signature.toLowerCase().endsWith(counterfactualMark)
}

/** Whether what `eth_call` returned means that the signature is valid. Never throws. */
export function isSmartWalletApproval(standard: SmartWalletStandard, returned: string): boolean {
  const hex = returned.toLowerCase()
  return standard === 'erc6492' ? hex === '0x01' : hex.startsWith(`0x${isValidSignature}`) && hex.length >= 66
}

/** ABI encoding of the last of some parameters, `bytes`, all others being one word: offset, length, padded bytes. */
function tail(parameters: number, bytes: string): string {
  const padding = (64 - (bytes.length % 64)) % 64
  return word(parameters * 32) + word(bytes.length / 2) + bytes + '0'.repeat(padding)
}

function word(value: number): string {
  return value.toString(16).padStart(64, '0')
}
