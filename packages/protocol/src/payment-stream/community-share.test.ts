import { expect, it } from 'vitest'
import { devnetProfile } from '../profile/devnet.ts'
import { communityShare } from './community-share.ts'

const wallet = '0x1111111111111111111111111111111111111111'

it('takes wallet and beginning from the published settings', () => {
  const settings = { community_wallet_address: wallet, community_wallet_timestamp: 5 }
  expect(communityShare(settings, devnetProfile)).toEqual({ wallet, since: 5 })
})

it('is nobody’s when the settings name no wallet, or when it has not begun', () => {
  expect(communityShare({ community_wallet_timestamp: 5 }, devnetProfile)).toBeNull()
  expect(communityShare({ community_wallet_address: wallet }, devnetProfile)).toBeNull()
})

it('goes to the wallet of the profile where nothing was published', () => {
  expect(communityShare(null, devnetProfile)).toEqual({
    wallet: devnetProfile.addresses.communityWallet,
    since: 1_739_301_770,
  })
})
