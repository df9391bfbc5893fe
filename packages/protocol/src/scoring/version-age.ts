import type { VersionAge } from './measurements.ts'
import type { Release } from './scoring-policy.ts'

/** A replaced version counts as outdated for two weeks, then as obsolete (protocol 06 §4.2). */
const outdatedSeconds = 14 * 86_400

/**
 * How old a version was when it was measured, epoch seconds. A version nobody released counts as `other`, instead of
 * not at all.
 *
 * @param releases oldest first
 */
export function versionAge(
  version: string | null,
  measuredAt: number,
  releases: readonly Release[],
): VersionAge {
  if (version === null || version === '') return 'missing'
  if (releases.length === 0) return 'latest'
  const index = releases.findIndex((release) => release.version === version)
  const release = releases[index]
  if (!release || release.releasedAt > measuredAt) return 'other'
  const next = releases[index + 1]
  if (!next || next.releasedAt > measuredAt) return isPrerelease(version) ? 'prerelease' : 'latest'
  return measuredAt - next.releasedAt < outdatedSeconds ? 'outdated' : 'obsolete'
}

function isPrerelease(version: string): boolean {
  return /(a|b|rc|alpha|beta)\.?\d*$/i.test(version)
}
