import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { expect, it } from 'vitest'

it('can be bundled for browsers: nothing of Node.js, no native code', async () => {
  const input = fileURLToPath(new URL('../src/index.ts', import.meta.url))
  const bundle = await rolldown({ input, platform: 'browser', logLevel: 'silent' })
  const { output } = await bundle.generate({ format: 'esm' })
  await bundle.close()
  const chunks = output.filter((part) => part.type === 'chunk')
  const files = new Set(chunks.map(({ fileName }) => fileName))
  const outside = chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports])
  expect(outside.filter((name) => !files.has(name))).toEqual([])
  expect(chunks.flatMap(({ moduleIds }) => moduleIds).filter((id) => id.includes('.native.'))).toEqual([])
})
