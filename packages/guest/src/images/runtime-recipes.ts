import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './run-command.ts'

export const runtimeNames = ['node', 'python', 'binary'] as const
export type RuntimeName = (typeof runtimeNames)[number]

/** What makes one runtime image. Paths inside the image are absolute; `root` is its folder on the host. */
export interface RuntimeRecipe {
  packages: readonly string[]
  /** What starts a program; the entrypoint is appended. Empty: the entrypoint itself is run. */
  command: readonly string[]
  /** Whether the command can be started before its program is known, and told it later. */
  waits: boolean
  env: Record<string, string>
  /** Adds what does not come from packages and removes what programs do not need. */
  finish(root: string): Promise<void>
}

const runtimesFolder = fileURLToPath(new URL('../../runtimes/', import.meta.url))
const libraries = 'usr/lib/x86_64-linux-gnu'

/** The certificate bundle that Debian's own tools would make at installation. */
async function bundleCertificates(root: string): Promise<void> {
  const folder = join(root, 'usr/share/ca-certificates/mozilla')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.crt')).sort()
  const certificates = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  await mkdir(join(root, 'etc/ssl/certs'), { recursive: true })
  await writeFile(join(root, 'etc/ssl/certs/ca-certificates.crt'), certificates.join(''))
  await rm(join(root, 'usr/share/ca-certificates'), { recursive: true })
}

/** Path of the Node.js binary that guests run: the one of the npm package `node`. */
export function guestNodeBinary(): string {
  return fileURLToPath(import.meta.resolve('node/bin/node'))
}

/** Compiles a C file to a shared library of the image, which finds its other `libraries` there. */
async function compileLibrary(source: string, output: string, libraries: string[] = []): Promise<void> {
  const warnings = ['-std=gnu17', '-Wall', '-Wextra', '-Werror']
  const linking = ['-shared', '-fPIC', '-Os', '-s', '-Wl,--build-id=none']
  await runCommand('gcc', [...warnings, ...linking, '-o', output, source, ...libraries])
}

async function finishNode(root: string): Promise<void> {
  await copyFile(guestNodeBinary(), join(root, 'usr/bin/node'))
  await chmod(join(root, 'usr/bin/node'), 0o755)
  for (const name of await readdir(join(runtimesFolder, 'node')))
    if (!name.endsWith('.c')) await copyFile(join(runtimesFolder, 'node', name), join(root, 'aleph', name))
  await compileLibrary(
    join(runtimesFolder, 'node/kernel-randomness.c'),
    join(root, 'aleph/kernel-randomness.node'),
  )
}

/** Standard library parts that a server has no use for. */
const prunedPython = [
  'ensurepip',
  'idlelib',
  'lib2to3',
  'pydoc_data',
  'test',
  'tkinter',
  'turtledemo',
  'unittest/test',
]

async function finishPython(root: string): Promise<void> {
  const library = join(root, 'usr/lib/python3.11')
  for (const part of prunedPython) await rm(join(library, part), { recursive: true, force: true })
  await symlink('python3.11', join(root, 'usr/bin/python3'))
  const sources = join(runtimesFolder, 'python')
  await cp(sources, join(root, 'aleph'), { recursive: true, filter: (path) => !path.endsWith('.c') })
  const openssl = join(root, libraries, 'libcrypto.so.3')
  await compileLibrary(join(sources, 'kernel-randomness.c'), join(root, 'aleph/kernel-randomness.so'), [
    openssl,
  ])
  await bundleCertificates(root)
  // Byte code is made now, with the image's own Python: a guest could not keep what it compiles.
  await runCommand(
    join(root, libraries, 'ld-linux-x86-64.so.2'),
    [
      '--library-path',
      join(root, libraries),
      join(root, 'usr/bin/python3.11'),
      '-E',
      '-S',
      '-m',
      'compileall',
      '-q',
      '-f',
      '--invalidation-mode=unchecked-hash',
      '-s',
      root,
      '-p',
      '/',
      library,
      join(root, 'usr/lib/python3/dist-packages'),
      join(root, 'aleph'),
    ],
    { cwd: root },
  )
}

async function finishBinary(root: string): Promise<void> {
  await bundleCertificates(root)
  const busybox = join(root, 'usr/bin/busybox')
  const applets = (await runCommand(busybox, ['--list'])).split('\n').filter(Boolean)
  for (const applet of applets)
    if (applet !== 'busybox') await symlink('busybox', join(root, 'usr/bin', applet))
}

/**
 * A snapshot should hold compiled functions and what is known of their types, and the first request after it should
 * compile nothing: that alone would take a third of its time. Old space begins as large as Node with a program needs, as
 * a collection of it would make V8 forget half of what it learned.
 */
const nodeFlags = [
  '--no-lazy',
  '--no-lazy-feedback-allocation',
  '--no-flush-bytecode',
  '--retain-maps-for-n-gc=1000000',
  '--no-sparkplug',
  '--invocation-count-for-maglev=2000',
  '--initial-old-space-size=24',
]

const glibc = ['libc6', 'libgcc-s1', 'libstdc++6'] as const

export const runtimeRecipes: Record<RuntimeName, RuntimeRecipe> = {
  node: {
    packages: glibc,
    command: ['/usr/bin/node', ...nodeFlags, '/aleph/serve.mjs'],
    waits: true,
    env: { NODE_ENV: 'production' },
    finish: finishNode,
  },
  python: {
    packages: [
      ...glibc,
      'python3.11-minimal',
      'libpython3.11-minimal',
      'libpython3.11-stdlib',
      'libbz2-1.0',
      'libcrypt1',
      'libexpat1',
      'libffi8',
      'liblzma5',
      'libsqlite3-0',
      'libssl3',
      'libuuid1',
      'zlib1g',
      'python3-asgiref',
      'python3-click',
      'libhttp-parser2.9',
      'python3-h11',
      'python3-httptools',
      'python3-typing-extensions',
      'python3-uvicorn',
      'python3-websockets',
      'ca-certificates',
    ],
    command: ['/usr/bin/python3', '/aleph/serve.py'],
    waits: true,
    env: {
      PYTHONUNBUFFERED: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      // asyncio reads into 256 KiB each time: memory that would otherwise come from the kernel for every request.
      MALLOC_MMAP_THRESHOLD_: '524288',
      MALLOC_TRIM_THRESHOLD_: '2097152',
      MALLOC_TOP_PAD_: '524288',
      SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt',
    },
    finish: finishPython,
  },
  binary: {
    packages: [...glibc, 'zlib1g', 'libssl3', 'busybox-static', 'ca-certificates'],
    command: [],
    waits: false,
    env: { SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt' },
    finish: finishBinary,
  },
}
