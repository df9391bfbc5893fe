import { type ProgramContent, ProtocolError, parseContent } from '@aleph-ts/protocol'
import type { DiskImage, ProgramSpec, VmKind } from '../../supervisor/index.ts'
import type { FileStore } from '../core-nodes/file-store.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import { vmHostName } from '../vm-host-name.ts'
import { prepareProgramVolumes } from '../volumes/program-volumes.ts'
import type { VolumeStore } from '../volumes/volume-store.ts'
import { type CodeImages, plainFileName } from './code-image.ts'
import { readRuntime } from './runtime-image.ts'

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/
const MAX_VARIABLES_BYTES = 64 * 1024

/** Where programs find the node's API, by the names of the network (protocol 05 §6.7). */
const guestApiEnvironment = {
  ALEPH_INIT_VERSION: '2.0.0',
  ALEPH_API_HOST: 'http://localhost',
  ALEPH_API_UNIX_SOCKET: '/tmp/socat-socket',
  ALEPH_REMOTE_CRYPTO_HOST: 'http://localhost',
  ALEPH_REMOTE_CRYPTO_UNIX_SOCKET: '/tmp/socat-socket',
}

export interface ProgramLimits {
  /** Bytes of a `zip` or `plain` code file. */
  maxArchiveBytes: number
  /** Bytes of a `squashfs` code file. */
  maxCodeImageBytes: number
  maxRuntimeBytes: number
  /** Longest wait for a program's first byte, whatever its message says; seconds. */
  maxSeconds: number
}

export interface ProgramLoaderOptions {
  messages: MessageSource
  files: FileStore
  codeImages: CodeImages
  volumes: VolumeStore
  limits: ProgramLimits
}

/** What the agent needs to know of a program to serve it, apart from how to boot it. */
export interface ProgramFacts {
  hash: string
  /** Owner: `content.address`. */
  owner: string
  persistent: boolean
  /** Whether its message lets it be called over HTTP. */
  http: boolean
  /** Limit to the first byte of an answer. */
  seconds: number
  /** The STORE message actually used for the code, after following amends. */
  codeRef: string
  /** STORE messages of which it runs the newest version. */
  follows: string[]
  /** Content hashes of the downloaded files the VM runs on. */
  files: string[]
  /** Paths of the images the VM mounts. */
  images: string[]
}

export interface LoadedProgram {
  facts: ProgramFacts
  spec: ProgramSpec
}

/** A verified file of a STORE message, and the message it came from. */
type FetchFile = (
  ref: string,
  useLatest: boolean,
  maxBytes: number,
) => Promise<{ ref: string; image: DiskImage }>

/** Turns a PROGRAM message into something that boots: everything fetched, verified, unpacked (protocol 05 §6). */
export class ProgramLoader {
  readonly #options: ProgramLoaderOptions

  constructor(options: ProgramLoaderOptions) {
    this.#options = options
  }

  /** The program's content alone. Throws AgentError `not_a_program` or `invalid_program`, and those of MessageSource.get. */
  async content(hash: string): Promise<ProgramContent> {
    const { envelope, content } = await this.#options.messages.get(hash)
    if (envelope.type !== 'PROGRAM') {
      throw new AgentError(
        'not_a_program',
        `Message ${hash} is of type ${envelope.type}; only a PROGRAM can be called`,
      )
    }
    try {
      return parseContent('PROGRAM', content)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      throw new AgentError('invalid_program', `Message ${hash} is no valid PROGRAM: ${error.message}`, {
        cause: error,
      })
    }
  }

  /** Downloads, checks and builds what the program needs. `kind` decides whether its VM may be stopped when idle. */
  async load(hash: string, kind: VmKind): Promise<LoadedProgram> {
    const content = await this.content(hash)
    const hostname = vmHostName(hash)
    const env = checkedVariables(content.variables ?? {})
    const { code, runtime, resources, environment } = content
    if (code.encoding === 'plain') plainFileName(code)
    const { limits } = this.#options
    const codeLimit = code.encoding === 'squashfs' ? limits.maxCodeImageBytes : limits.maxArchiveBytes
    const follows: string[] = []
    const file: FetchFile = (ref, useLatest, maxBytes) => {
      if (useLatest) follows.push(ref)
      return this.#file(ref, useLatest, maxBytes)
    }
    const [runtimeFile, codeFile] = await Promise.all([
      file(runtime.ref, runtime.use_latest ?? true, limits.maxRuntimeBytes),
      file(code.ref, code.use_latest ?? false, codeLimit),
    ])
    const manifest = await readRuntime(runtimeFile.image)
    const { encoding, entrypoint } = code
    const source = {
      encoding,
      fileHash: codeFile.image.sha256,
      entrypoint: encoding === 'plain' ? plainFileName(code) : entrypoint,
    }
    const codeImage = await this.#options.codeImages.image({
      ...source,
      path: codeFile.image.path,
      owner: 'root',
    })
    const volumes = await prepareProgramVolumes(hash, content, {
      store: this.#options.volumes,
      file: async (ref, useLatest) => (await file(ref, useLatest, limits.maxCodeImageBytes)).image,
      parentFile: async (ref, useLatest) =>
        (await this.#file(ref, useLatest, limits.maxCodeImageBytes)).image.path,
      dataImage: (data) => this.#dataImage(data, file),
    })
    const isBareCommand = manifest.isLegacy && code.interface === 'binary'
    const spec: ProgramSpec = {
      id: hash,
      kind,
      vcpus: resources.vcpus,
      memoryMiB: resources.memory,
      runtime: { ...runtimeFile.image, command: isBareCommand ? [] : manifest.command, env: manifest.env },
      code: codeImage,
      entrypoint: code.entrypoint,
      ...(code.args && { args: code.args }),
      ...(volumes.mounts.length > 0 && { volumes: volumes.mounts }),
      env: { ...guestApiEnvironment, ALEPH_ADDRESS_TO_USE: hostname, ...env },
      hostname,
      internet: environment.internet ?? false,
      // Two programs never share a snapshot, even of the same code (protocol 05 §21.6).
      templateKey: hash,
    }
    const facts: ProgramFacts = {
      hash,
      owner: content.address,
      persistent: content.on.persistent ?? false,
      http: content.on.http,
      seconds: Math.min(Math.max(resources.seconds, 1), limits.maxSeconds),
      codeRef: codeFile.ref,
      follows,
      files: [runtimeFile.image.sha256, codeFile.image.sha256, ...volumes.files],
      images: [
        codeImage.path,
        ...volumes.mounts.flatMap((mount) => (mount.kind === 'image' ? [mount.image.path] : [])),
      ],
    }
    return { facts, spec }
  }

  /** A program's data as an image; of a plain file, a folder with that file. */
  async #dataImage(
    data: NonNullable<ProgramContent['data']>,
    fetchFile: FetchFile,
  ): Promise<{ image: DiskImage; file: DiskImage }> {
    const { limits } = this.#options
    const { image: file } = await fetchFile(data.ref, data.use_latest, limits.maxCodeImageBytes)
    const source = {
      encoding: data.encoding,
      fileHash: file.sha256,
      path: file.path,
      entrypoint: 'data',
      owner: 'program' as const,
    }
    return { image: await this.#options.codeImages.image(source), file }
  }

  async #file(ref: string, useLatest: boolean, maxBytes: number): ReturnType<FetchFile> {
    const { messages, files } = this.#options
    const store = await messages.store(ref, useLatest)
    const sha256 = store.content.item_hash
    return { ref: store.ref, image: { path: await files.fetch(sha256, maxBytes), sha256 } }
  }
}

function checkedVariables(variables: Record<string, string>): Record<string, string> {
  let size = 0
  for (const [name, value] of Object.entries(variables)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(value)
    if (!VARIABLE_NAME.test(name)) {
      throw new AgentError('invalid_program', `variables: "${name}" is no name of an environment variable`)
    }
    if (value.includes('\0'))
      throw new AgentError('invalid_program', `variables.${name} holds a NUL character`)
  }
  if (size > MAX_VARIABLES_BYTES) {
    throw new AgentError('invalid_program', `variables are larger than ${MAX_VARIABLES_BYTES} bytes together`)
  }
  return variables
}
