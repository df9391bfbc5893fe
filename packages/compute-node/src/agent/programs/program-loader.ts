import { type ProgramContent, ProtocolError, parseContent, sha256Hex, vmHostLabel } from '@aleph-ts/protocol'
import type { DiskImage, VmKind, VmSpec } from '../../supervisor/index.ts'
import type { FileStore } from '../core-nodes/file-store.ts'
import type { MessageSource } from '../core-nodes/message-source.ts'
import { AgentError } from '../errors.ts'
import { type CodeImages, plainFileName } from './code-image.ts'
import { readRuntime } from './runtime-image.ts'

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/
const MAX_VARIABLES_BYTES = 64 * 1024

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
  /** Content hashes of the downloaded files the VM runs on. */
  files: string[]
  /** Path of the code image the VM mounts. */
  codeImage: string
}

export interface LoadedProgram {
  facts: ProgramFacts
  spec: VmSpec
}

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
    assertSupported(content)
    const env = checkedVariables(content.variables ?? {})
    const { code, runtime, resources, environment } = content
    if (code.encoding === 'plain') plainFileName(code.entrypoint)
    const { limits } = this.#options
    const codeLimit = code.encoding === 'squashfs' ? limits.maxCodeImageBytes : limits.maxArchiveBytes
    const [runtimeFile, codeFile] = await Promise.all([
      this.#file(runtime.ref, runtime.use_latest ?? true, limits.maxRuntimeBytes),
      this.#file(code.ref, code.use_latest ?? false, codeLimit),
    ])
    const manifest = await readRuntime(runtimeFile.image)
    const source = { encoding: code.encoding, fileHash: codeFile.image.sha256, entrypoint: code.entrypoint }
    const codeImage = await this.#options.codeImages.image({ ...source, path: codeFile.image.path })
    const hostname = vmHostLabel(hash)
    const spec: Omit<VmSpec, 'templateKey'> = {
      id: hash,
      kind,
      vcpus: resources.vcpus,
      memoryMiB: resources.memory,
      runtime: { ...runtimeFile.image, command: manifest.command, env: manifest.env },
      code: codeImage,
      entrypoint: code.entrypoint,
      env: { ALEPH_ADDRESS_TO_USE: hostname, ...env },
      hostname,
      internet: environment.internet ?? false,
    }
    const facts: ProgramFacts = {
      hash,
      owner: content.address,
      persistent: content.on.persistent ?? false,
      http: content.on.http,
      seconds: Math.min(Math.max(resources.seconds, 1), limits.maxSeconds),
      codeRef: codeFile.ref,
      files: [runtimeFile.image.sha256, codeFile.image.sha256],
      codeImage: codeImage.path,
    }
    return { facts, spec: { ...spec, templateKey: templateKey(spec) } }
  }

  async #file(ref: string, useLatest: boolean, maxBytes: number): Promise<{ ref: string; image: DiskImage }> {
    const { messages, files } = this.#options
    const store = await messages.store(ref, useLatest)
    const sha256 = store.content.item_hash
    return { ref: store.ref, image: { path: await files.fetch(sha256, maxBytes), sha256 } }
  }
}

/** Equal for two starts that may share one snapshot: everything the guest can see. */
function templateKey(spec: Omit<VmSpec, 'templateKey'>): string {
  const { id, vcpus, memoryMiB, runtime, code, entrypoint, internet } = spec
  const env = sortedEntries({ ...runtime.env, ...spec.env })
  const shape = [
    id,
    vcpus,
    memoryMiB,
    runtime.sha256,
    runtime.command,
    code.sha256,
    entrypoint,
    internet,
    env,
  ]
  return sha256Hex(JSON.stringify(shape))
}

function sortedEntries(record: Record<string, string>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
}

function assertSupported(content: ProgramContent): void {
  const missing: string[] = []
  if (content.volumes && content.volumes.length > 0) missing.push('volumes')
  if (content.data) missing.push('data')
  if (content.code.args && content.code.args.length > 0) missing.push('code.args')
  if (missing.length > 0) {
    throw new AgentError(
      'unsupported',
      `The program asks for ${missing.join(' and ')}, which this node does not offer yet`,
    )
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
