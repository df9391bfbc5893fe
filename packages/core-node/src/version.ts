import manifest from '../package.json' with { type: 'json' }

/** Version of this software, as peers and scoring see it. */
export const version: string = manifest.version
