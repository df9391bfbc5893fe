import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as native from '@aleph-ts/protocol'
import { type OutputChunk, rolldown } from 'rolldown'
import { expect, it } from 'vitest'

it('can be bundled for browsers: nothing of Node.js, no native code', async () => {
  const chunks = await bundleForBrowsers(new URL('../src/index.ts', import.meta.url).href)
  const files = new Set(chunks.map(({ fileName }) => fileName))
  const outside = chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports])
  expect(outside.filter((name) => !files.has(name))).toEqual([])
  expect(chunks.flatMap(({ moduleIds }) => moduleIds).filter((id) => id.includes('.native.'))).toEqual([])
})

it('a browser judges the signatures of every chain as a node does', async () => {
  const [chunk] = await bundleForBrowsers(import.meta.resolve('@aleph-ts/protocol'))
  const folder = await mkdtemp(join(tmpdir(), 'aleph-browser-bundle-'))
  try {
    const file = join(folder, 'protocol.mjs')
    await writeFile(file, chunk!.code)
    const portable: typeof native = await import(/* @vite-ignore */ pathToFileURL(file).href)
    for (const { id, message } of signedMessages()) {
      expect(judge(portable, message), id).toBe(judge(native, message))
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})

async function bundleForBrowsers(entry: string): Promise<OutputChunk[]> {
  const bundle = await rolldown({ input: fileURLToPath(entry), platform: 'browser', logLevel: 'silent' })
  const { output } = await bundle.generate({ format: 'esm' })
  await bundle.close()
  return output.filter((part) => part.type === 'chunk')
}

function signedMessages(): { id: string; message: native.SignedMessage }[] {
  const file = new URL('../../../fixtures/signed-messages.json', import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8'))
}

function judge(protocol: typeof native, message: native.SignedMessage): boolean | string {
  if (!protocol.isChainVerifiable(message.chain)) return 'not taken'
  const stored = protocol.canonicalSignature(message.chain, message.signature ?? '')
  return protocol.verifySignature(message) ? stored : false
}
