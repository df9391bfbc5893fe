/**
 * Takes the bytecodes of the Superfluid contracts out of their npm package into `src/superfluid/generated/bytecodes.ts`. The
 * package itself depends on several build tools, so it is unpacked by hand and not installed:
 *
 *     npm pack @superfluid-finance/ethereum-contracts@1.15.2 && tar xzf superfluid-finance-*.tgz
 *     node packages/contracts/scripts/superfluid-bytecodes.ts package
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const contracts = {
  simpleForwarder: 'utils/SimpleForwarder.sol/SimpleForwarder',
  erc2771Forwarder: 'utils/ERC2771Forwarder.sol/ERC2771Forwarder',
  simpleAcl: 'utils/SimpleACL.sol/SimpleACL',
  host: 'superfluid/Superfluid.sol/Superfluid',
  governance: 'utils/TestGovernance.sol/TestGovernance',
  constantFlowAgreement: 'agreements/ConstantFlowAgreementV1.sol/ConstantFlowAgreementV1',
  constantFlowForwarder: 'utils/CFAv1Forwarder.sol/CFAv1Forwarder',
  superToken: 'superfluid/SuperToken.sol/SuperToken',
  superTokenFactory: 'superfluid/SuperTokenFactory.sol/SuperTokenFactory',
  pureSuperToken: 'tokens/PureSuperToken.sol/PureSuperToken',
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, 'utf8'))
}

async function bytecodes(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const [name, path] of Object.entries(contracts)) {
    const artifact = await readJson(join(folder, 'build/hardhat/contracts', `${path}.json`))
    if (Object.keys(artifact.linkReferences as object).length > 0) throw new Error(`${name} needs libraries`)
    found[name] = artifact.bytecode as string
  }
  const registry = await readJson(join(folder, 'dev-scripts/artifacts/ERC1820Registry.json'))
  return { ...found, erc1820Registry: `0x${registry.bin}` }
}

const folder = process.argv[2]
if (!folder) throw new Error('Name the folder into which the npm package was unpacked')
const { name, version, license } = await readJson(join(folder, 'package.json'))
const text = `// Bytecodes of ${name} ${version} (${license}), taken from its npm package by
// scripts/superfluid-bytecodes.ts. Do not edit.

export const superfluidBytecodes = ${JSON.stringify(await bytecodes(folder), null, 2)} as const
`
await writeFile(new URL('../src/superfluid/generated/bytecodes.ts', import.meta.url), text)
console.log('src/superfluid/generated/bytecodes.ts')
