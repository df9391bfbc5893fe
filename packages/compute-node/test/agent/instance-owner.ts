import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildInstanceImage } from '@aleph-ts/guest'
import { imagesDir } from '../../src/testing/warm-seed.ts'
import { ownerHeaders } from './owner-headers.ts'
import { patientSsh } from './patient-ssh.ts'
import type { RealNode } from './real-node.ts'

const run = promisify(execFile)

/** An owner of instances that really boot, with a key to get in by ssh. */
export class InstanceOwner implements AsyncDisposable {
  readonly folder: string
  readonly #image: Buffer
  readonly #publicKey: string

  private constructor(folder: string, image: Buffer, publicKey: string) {
    this.folder = folder
    this.#image = image
    this.#publicKey = publicKey
  }

  static async create(): Promise<InstanceOwner> {
    const { path } = await buildInstanceImage({ cacheDir: imagesDir() })
    const folder = await mkdtemp(join(tmpdir(), 'aleph-owner-'))
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')])
    const publicKey = await readFile(join(folder, 'key.pub'), 'utf8')
    return new InstanceOwner(folder, await readFile(path), publicKey)
  }

  /** Publishes an instance of the image; returns its item hash. */
  publish(node: RealNode, changes: Record<string, unknown> = {}): string {
    return node.core.publish('INSTANCE', {
      allow_amend: false,
      authorized_keys: [this.#publicKey],
      environment: { internet: true, hypervisor: 'qemu' },
      resources: { vcpus: 1, memory: 256, seconds: 30 },
      payment: { chain: 'ETH', type: 'credit' },
      rootfs: this.rootfs(node),
      ...changes,
    })
  }

  /** A root disk over the image, to publish instances with. */
  rootfs(node: RealNode) {
    const parent = { ref: node.core.store(this.#image), use_latest: false }
    return { parent, persistence: 'host', size_mib: 1024 }
  }

  /** Runs a command as root inside an instance, at the port that its node says; waits until it lets us in. */
  async ssh(node: RealNode, hash: string, command: string): Promise<string> {
    const port = (await node.execution(hash))?.networking.mapped_ports?.['22']?.host
    const ask = async (args: string[]) => (await run('ssh', args)).stdout
    return patientSsh({ folder: this.folder, host: '127.0.0.1', port, command, run: ask })
  }

  /** `POST /control/machine/<hash>/<operation>`, which may have a query; returns what the node says. */
  async operate(node: RealNode, hash: string, operation: string): Promise<string> {
    const url = new URL(`${node.url}/control/machine/${hash}/${operation}`)
    const headers = ownerHeaders(node.core.owner, url.pathname, 'POST')
    return (await fetch(url, { method: 'POST', headers })).text()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}
