import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const platformNames: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'linux',
  darwin: 'darwin',
  win32: 'win32',
}
const architectureNames: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' }

/**
 * Path of the anvil program that npm installed for this machine.
 * The program itself and not its npm wrapper, so that signals and the process id are anvil's own.
 *
 * @throws Error when npm has no anvil for this platform, or installed none
 */
export function findAnvilBinary(): string {
  const platform = platformNames[process.platform]
  const architecture = architectureNames[process.arch]
  if (!platform || !architecture) {
    throw new Error(`anvil: no build for ${process.platform} ${process.arch}; use an existing chain instead`)
  }
  const name = `@foundry-rs/anvil-${platform}-${architecture}`
  const { resolve } = createRequire(import.meta.url)
  try {
    const wrapper = createRequire(resolve('@foundry-rs/anvil/package.json'))
    const folder = dirname(wrapper.resolve(`${name}/package.json`))
    return join(folder, 'bin', process.platform === 'win32' ? 'anvil.exe' : 'anvil')
  } catch (cause) {
    throw new Error(`anvil: ${name} is not installed; run npm install with optional packages`, { cause })
  }
}
