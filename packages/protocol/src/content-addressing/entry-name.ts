import { ContentAddressError } from './content-address-error.ts'

const maxPathDepth = 128
/** Longest name in a directory, UTF-16 units. */
const maxNameLength = 1024

/** @throws {ContentAddressError} `invalid_path` for what cannot be the name of one file in a directory */
export function checkEntryName(name: string): void {
  const isName =
    name !== '' && name !== '.' && name !== '..' && name.length <= maxNameLength && !/[/\0]/.test(name)
  if (isName) return
  throw new ContentAddressError('invalid_path', `Not a file name: ${JSON.stringify(name.slice(0, 80))}`)
}

/**
 * The names on the way of a path such as `site/index.html`; slashes at both ends are ignored.
 *
 * @throws {ContentAddressError} `invalid_path`
 */
export function pathSegments(path: string): string[] {
  const trimmed = path.replace(/^\/+|\/+$/g, '')
  if (trimmed === '') return []
  const segments = trimmed.split('/')
  if (segments.length > maxPathDepth) {
    throw new ContentAddressError('invalid_path', `A path has more than ${maxPathDepth} parts`)
  }
  for (const segment of segments) checkEntryName(segment)
  return segments
}
