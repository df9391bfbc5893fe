/**
 * Compiles `contracts/*.sol` and writes one TypeScript file for each into `src/generated/`.
 *
 *     node packages/contracts/scripts/compile.ts
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import solc from 'solc'

const packageDir = dirname(dirname(fileURLToPath(import.meta.url)))
const sourceDir = join(packageDir, 'contracts')
export const generatedDir = join(packageDir, 'src', 'generated')

interface CompilerOutput {
  errors?: { severity: 'error' | 'warning' | 'info'; formattedMessage: string }[]
  contracts: Record<string, Record<string, { abi: unknown[]; evm: { bytecode: { object: string } } }>>
}

/**
 * Compiles every contract of this package.
 * @returns the text of each generated file by its name, ready to be written or compared.
 * @throws Error with the compiler's own words on any error or warning.
 */
export async function compileContracts(): Promise<Map<string, string>> {
  const names = (await readdir(sourceDir)).filter((name) => name.endsWith('.sol')).sort()
  const sources: Record<string, { content: string }> = {}
  for (const name of names) {
    sources[name] = { content: await readFile(join(sourceDir, name), 'utf8') }
  }

  const output = runCompiler(sources, await readImports(sources))
  const complaints = (output.errors ?? []).filter((error) => error.severity !== 'info')
  if (complaints.length > 0) throw new Error(complaints.map((error) => error.formattedMessage).join('\n'))

  const files = new Map<string, string>()
  for (const name of names) {
    const contractName = basename(name, '.sol')
    const contract = output.contracts[name]?.[contractName]
    if (!contract) throw new Error(`${name} must define a contract called ${contractName}`)
    files.set(
      `${kebabCase(contractName)}.ts`,
      renderModule(name, contractName, contract.abi, contract.evm.bytecode.object),
    )
  }
  return files
}

function runCompiler(
  sources: Record<string, { content: string }>,
  imports: Map<string, string>,
): CompilerOutput {
  const input = {
    language: 'Solidity',
    sources,
    settings: {
      optimizer: { enabled: true, runs: 200 },
      evmVersion: 'cancun',
      // Without the metadata hash the bytecode depends on the code alone, not on comments.
      metadata: { bytecodeHash: 'none', appendCBOR: false },
      outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
    },
  }
  const findImport = (path: string) => {
    const contents = imports.get(path)
    return contents === undefined ? { error: `${path} not found` } : { contents }
  }
  return JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }))
}

/** Reads everything the sources import, directly or not: solc asks for imports synchronously. */
async function readImports(sources: Record<string, { content: string }>): Promise<Map<string, string>> {
  const { resolve } = createRequire(import.meta.url)
  const found = new Map<string, string>()
  const queue = Object.entries(sources).map(([path, source]) => ({ path, content: source.content }))
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const [, target] of next.content.matchAll(/^import[^"]*"([^"]+)";/gm)) {
      const path = target!.startsWith('.') ? join(dirname(next.path), target!) : target!
      if (found.has(path) || Object.hasOwn(sources, path)) continue
      const content = await readFile(resolve(path), 'utf8')
      found.set(path, content)
      queue.push({ path, content })
    }
  }
  return found
}

function renderModule(source: string, contractName: string, abi: unknown[], bytecode: string): string {
  const identifier = contractName[0]!.toLowerCase() + contractName.slice(1)
  return `// Generated from contracts/${source} by scripts/compile.ts. Do not edit.

export const ${identifier}Abi = ${JSON.stringify(abi, null, 2)} as const

export const ${identifier}Bytecode = '0x${bytecode}' as const
`
}

function kebabCase(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()
}

if (import.meta.main) {
  await mkdir(generatedDir, { recursive: true })
  for (const [name, text] of await compileContracts()) {
    await writeFile(join(generatedDir, name), text)
    console.log(`src/generated/${name}`)
  }
}
