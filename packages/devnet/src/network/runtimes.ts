import { openAsBlob } from 'node:fs'
import type { GuestImages } from '@aleph-ts/guest'
import type { AlephClient } from '@aleph-ts/sdk'
import { remembered } from './remembered.ts'

/** Publishes each guest runtime as a STORE message, once per image; answers their item hashes by name. */
export async function publishRuntimes(
  client: AlephClient,
  images: GuestImages,
  rememberIn: string,
  note: (detail: string) => void,
): Promise<Record<string, string>> {
  const published: Record<string, string> = {}
  for (const [name, image] of Object.entries(images.runtimes)) {
    published[name] = await remembered(rememberIn, image.sha256, async () => {
      note(`${name} (${Math.round(image.size / 2 ** 20)} MiB)`)
      const stored = await client.uploadFile({
        file: await openAsBlob(image.path),
        fileName: `${name}.squashfs`,
      })
      await client.waitForMessage(stored.itemHash)
      return stored.itemHash
    })
  }
  return published
}
