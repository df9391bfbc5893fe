import { describe, expect, it } from 'vitest'
import { isSmartWalletApproval, smartWalletCall } from './smart-wallet.ts'

const message = {
  chain: 'ETH',
  sender: '0xa9F3Cd4E416c6e911DB3DcB5CA6CD77e9F861635',
  type: 'POST',
  item_hash: 'a'.repeat(64),
} as const
const mark = '6492'.repeat(16)

describe('a smart wallet', () => {
  it('that is deployed is asked at its address', () => {
    const call = smartWalletCall({ ...message, signature: `0x${'AB'.repeat(33)}` }, '0xc0de')!
    expect(call).toMatchObject({ standard: 'erc1271', to: message.sender })
    expect(call.data).toMatch(/^0x1626ba7e[0-9a-f]{64}0{62}400{62}21(ab){33}0{62}$/)
  })

  it('that is not deployed yet is asked through the validator', () => {
    const call = smartWalletCall({ ...message, signature: `0xab${mark}` }, '0xc0de')!
    expect(call.standard).toBe('erc6492')
    expect(call.to).toBeUndefined()
    const signer = message.sender.slice(2).toLowerCase().padStart(64, '0')
    expect(call.data).toMatch(new RegExp(`^0xc0de${signer}[0-9a-f]{64}0{62}600{62}21ab${mark}0{62}$`))
  })

  it('is not asked about what cannot be its signature', () => {
    expect(smartWalletCall({ ...message, signature: null }, '0x')).toBeNull()
    expect(smartWalletCall({ ...message, signature: '0xabc' }, '0x')).toBeNull()
    expect(smartWalletCall({ ...message, chain: 'SOL', signature: '0xab' }, '0x')).toBeNull()
    expect(smartWalletCall({ ...message, sender: 'alice', signature: '0xab' }, '0x')).toBeNull()
  })

  it('approves with its magic value only', () => {
    expect(isSmartWalletApproval('erc1271', `0x1626ba7e${'0'.repeat(56)}`)).toBe(true)
    expect(isSmartWalletApproval('erc1271', `0x${'0'.repeat(64)}`)).toBe(false)
    expect(isSmartWalletApproval('erc1271', '0x')).toBe(false)
    expect(isSmartWalletApproval('erc6492', '0x01')).toBe(true)
    expect(isSmartWalletApproval('erc6492', '0x00')).toBe(false)
  })
})
