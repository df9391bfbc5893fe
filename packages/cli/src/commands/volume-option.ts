import { InvalidArgumentError } from 'commander'

/** A disk that outlives its VM, as messages say it. */
export interface PersistentVolume {
  name: string
  mount: string
  persistence: 'host'
  size_mib: number
  parent?: { ref: string; use_latest: boolean }
}

export const volumeOption = {
  flags: '--volume <name:mount:MiB[:hash]>',
  description: 'persistent volume, empty or as the published image of this item hash; may be repeated',
}

/** Adds what one `--volume` says to those before it. Throws InvalidArgumentError. */
export function addVolume(text: string, volumes: PersistentVolume[] = []): PersistentVolume[] {
  const [, name, mount, mib, ref] = /^([\w-]+):(\/[^:]+):(\d+)(?::(\w+))?$/.exec(text) ?? []
  if (name === undefined || mount === undefined) {
    throw new InvalidArgumentError(
      'Give it as name:/where/it/is/mounted:MiB, with :HASH of an image if wanted.',
    )
  }
  const parent = ref === undefined ? {} : { parent: { ref, use_latest: true } }
  return [...volumes, { name, mount, persistence: 'host', size_mib: Number(mib), ...parent }]
}
