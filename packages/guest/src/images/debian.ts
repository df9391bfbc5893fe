import { cp, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GuestError } from '../guest-error.ts'
import { runCommand } from './run-command.ts'

/** Pinned, so that equal inputs give equal images whatever the host runs. */
const release = 'bookworm'
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Signed Debian packages, fetched without root and without touching the host's own package lists. */
export interface DebianArchive {
  /**
   * Downloads the present versions of packages (not their dependencies) unless they are kept from before, drops
   * older ones, and returns the .deb files in the order asked for.
   */
  fetch(packages: readonly string[]): Promise<string[]>
  /** The names that a package depends on. */
  dependencies(packageName: string): Promise<string[]>
}

/**
 * Opens the archive with its lists and downloads kept in `folder`.
 * Throws `image_download_failed` when the mirror cannot be reached.
 */
export async function openDebianArchive(folder: string): Promise<DebianArchive> {
  const mirror = process.env.ALEPH_GUEST_DEBIAN_MIRROR ?? 'http://deb.debian.org'
  const state = join(folder, 'apt')
  const packagesFolder = join(folder, 'packages')
  for (const path of ['lists/partial', 'cache/archives/partial', 'etc'])
    await mkdir(join(state, path), { recursive: true })
  await mkdir(packagesFolder, { recursive: true })
  await writeFile(join(state, 'status'), '')
  await writeFile(
    join(state, 'etc/sources.list'),
    [
      `deb [arch=amd64 signed-by=${keyring}] ${mirror}/debian ${release} main`,
      `deb [arch=amd64 signed-by=${keyring}] ${mirror}/debian-security ${release}-security main`,
      '',
    ].join('\n'),
  )
  const settings = Object.entries({
    'APT::Architecture': 'amd64',
    'APT::Architectures': 'amd64',
    'APT::Sandbox::User': process.getuid?.() === 0 ? 'root' : '',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    'Dir::State': state,
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': join(state, 'cache'),
    'Dir::Etc::sourcelist': join(state, 'etc/sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::Etc::preferencesparts': '-',
  }).flatMap(([key, value]) => ['-o', `${key}=${value}`])

  const apt = async (command: string, args: string[], cwd?: string): Promise<string> => {
    try {
      return await runCommand(command, [...settings, ...args], { cwd, timeoutMs: 600_000 })
    } catch (cause) {
      throw new GuestError(
        'image_download_failed',
        `Debian packages could not be fetched from ${mirror}: ${(cause as Error).message}`,
        { cause },
      )
    }
  }
  await apt('apt-get', ['update', '-qq', '--error-on=any'])

  return {
    async dependencies(packageName) {
      const text = await apt('apt-cache', ['depends', '--important', packageName])
      return [...text.matchAll(/^\s*\|?Depends: (\S+)$/gm)].map((match) => match[1]!)
    },
    async fetch(packages) {
      const files = parseDownloadNames(await apt('apt-get', ['download', '--print-uris', ...packages]))
      const kept = await readdir(packagesFolder)
      const absent = packages.filter((name) => !kept.includes(files.get(name)!))
      if (absent.length > 0) {
        const partial = join(folder, 'partial')
        await rm(partial, { recursive: true, force: true })
        await mkdir(partial)
        await apt('apt-get', ['download', '-qq', ...absent], partial)
        for (const file of await readdir(partial))
          await rename(join(partial, file), join(packagesFolder, file))
      }
      for (const file of kept) if (isSuperseded(file, files)) await rm(join(packagesFolder, file))
      return packages.map((name) => join(packagesFolder, files.get(name)!))
    },
  }
}

/** File names by package, of what `apt-get download --print-uris` prints: `'address' name_version_arch.deb size hash`. */
export function parseDownloadNames(printed: string): Map<string, string> {
  const names = [...printed.matchAll(/^'[^']+' ((\S+?)_\S+\.deb) /gm)]
  return new Map(names.map(([, file, name]) => [name!, file!]))
}

/** Whether a kept file is another version of one of the packages. Packages of kernels have theirs in the name. */
export function isSuperseded(file: string, current: ReadonlyMap<string, string>): boolean {
  const nameOf = (name: string) => name.split('_')[0]!.replace(/^linux-image-[\d.]+-\d+-/, 'linux-image-')
  const files = [...current.values()]
  return !files.includes(file) && files.some((wanted) => nameOf(wanted) === nameOf(file))
}

const mergedFolders = ['bin', 'sbin', 'lib', 'lib64']

/**
 * Unpacks .deb files into one tree with the merged layout of an installed system: `/lib` is a link to `usr/lib`
 * and so on, which the packages themselves do not hold.
 */
export async function unpackPackages(files: readonly string[], into: string): Promise<void> {
  await mkdir(into, { recursive: true })
  for (const file of files) await runCommand('dpkg-deb', ['-x', file, into])
  for (const name of mergedFolders) {
    const [plain, merged] = [join(into, name), join(into, 'usr', name)]
    await mkdir(merged, { recursive: true })
    await cp(plain, merged, { recursive: true, verbatimSymlinks: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      },
    )
    await rm(plain, { recursive: true, force: true })
    await symlink(`usr/${name}`, plain)
  }
}
