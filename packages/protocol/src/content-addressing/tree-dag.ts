import { ContentAddressError } from './content-address-error.ts'
import { type DirectoryDagOptions, directoryDag } from './directory-dag.ts'
import { pathSegments } from './entry-name.ts'
import type { BuiltNode } from './file-dag.ts'

type Folder = Map<string, Folder | BuiltNode>

/**
 * The DAG of a folder with folders in it, from the roots of its files.
 *
 * @example
 * const tree = new TreeDag({ cidVersion: 1 })
 * tree.add('site/index.html', new FileDag({ cidVersion: 1 }).update(html).finish())
 * const { cid } = tree.finish()
 */
export class TreeDag {
  readonly #options: DirectoryDagOptions
  readonly #root: Folder = new Map()

  constructor(options: DirectoryDagOptions = {}) {
    this.#options = options
  }

  /** @throws {ContentAddressError} `invalid_path` when the path is none, is taken, or goes through a file */
  add(path: string, file: BuiltNode): this {
    const segments = pathSegments(path)
    const name = segments.pop()
    const taken = new ContentAddressError('invalid_path', `The path ${JSON.stringify(path)} cannot be added`)
    if (name === undefined) throw taken
    const folder = this.#folder(segments, taken)
    if (folder.has(name)) throw taken
    folder.set(name, file)
    return this
  }

  /** The root; blocks of all directories go to `onBlock`, the deepest first. */
  finish(): BuiltNode {
    return this.#build(this.#root)
  }

  #folder(segments: string[], taken: ContentAddressError): Folder {
    let folder = this.#root
    for (const segment of segments) {
      let next = folder.get(segment)
      if (next === undefined) {
        next = new Map()
        folder.set(segment, next)
      }
      if (!(next instanceof Map)) throw taken
      folder = next
    }
    return folder
  }

  #build(folder: Folder): BuiltNode {
    const entries = [...folder].map(([name, inside]) => ({
      name,
      node: inside instanceof Map ? this.#build(inside) : inside,
    }))
    return directoryDag(entries, this.#options)
  }
}
