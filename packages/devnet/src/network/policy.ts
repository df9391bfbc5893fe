import { defaultPricing, defaultSettings, devnetProfile } from '@aleph-ts/protocol'
import type { AlephClient } from '@aleph-ts/sdk'
import { remembered } from './remembered.ts'

/**
 * Publishes what tools read before they ask for a VM (protocol 06 §9): prices and settings as nodes take them to be
 * anyway, and the images there are. Once per content.
 */
export async function publishPolicy(
  authority: AlephClient,
  runtimes: Record<string, string>,
  rememberIn: string,
): Promise<void> {
  const images = Object.entries(runtimes).map(([name, hash]) => [name, { hash, display_name: name }])
  const policy = {
    pricing: defaultPricing,
    settings: { ...defaultSettings, community_wallet_address: devnetProfile.addresses.communityWallet },
    'vm-images': {
      rootfs: {},
      runtimes: Object.fromEntries(images),
      firmwares: {},
      defaults: { runtime: 'python' },
    },
  }
  for (const [key, content] of Object.entries(policy)) {
    await remembered(rememberIn, `${key} ${JSON.stringify(content)}`, async () => {
      const { itemHash } = await authority.publishAggregate({ key, content })
      await authority.waitForMessage(itemHash)
      return itemHash
    })
  }
}
