import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type DebianArchive, unpackPackages } from './debian.ts'
import { runCommand } from './run-command.ts'
import { type RuntimeName, type RuntimeRecipe, runtimeRecipes } from './runtime-recipes.ts'

/** Parts of Debian packages that no program reads at run time. */
export const pruned = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/lintian',
  'usr/share/bug',
  'usr/share/doc-base',
  'usr/share/applications',
  'usr/share/pixmaps',
  'usr/share/gcc',
  'usr/share/gdb',
  'usr/share/binfmts',
  'usr/share/locale',
  'usr/lib/x86_64-linux-gnu/gconv',
  'usr/lib/x86_64-linux-gnu/audit',
  'usr/sbin',
]

const folders = [...['aleph', 'code', 'dev', 'etc', 'home/app', 'mnt', 'proc', 'run', 'sys', 'tmp']]

/** Names for the user that programs run as; without these, programs that ask who they are fail. */
const accountFiles = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n',
  'etc/group': 'root:x:0:\napp:x:1000:\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
}

async function describe(root: string, name: RuntimeName, recipe: RuntimeRecipe): Promise<void> {
  for (const [path, text] of Object.entries(accountFiles)) await writeFile(join(root, path), text)
  const { command, waits, env } = recipe
  const description = { name, command, waits, env }
  await writeFile(join(root, 'aleph/runtime.json'), `${JSON.stringify(description, null, 2)}\n`)
}

/** Builds the image of one runtime as a squashfs file; equal inputs give equal bytes. */
export async function buildRuntimeImage(options: {
  name: RuntimeName
  archive: DebianArchive
  workFolder: string
  output: string
}): Promise<void> {
  const recipe = runtimeRecipes[options.name]
  const root = join(options.workFolder, options.name)
  await unpackPackages(await options.archive.fetch(recipe.packages), root)
  for (const folder of folders) await mkdir(join(root, folder), { recursive: true })
  await recipe.finish(root)
  for (const path of pruned) await rm(join(root, path), { recursive: true, force: true })
  await describe(root, options.name, recipe)
  await makeSquashfs(root, options.output)
  await rm(root, { recursive: true })
}

/** Packs a folder reproducibly: owned by root, no times, no extended attributes. */
async function makeSquashfs(folder: string, output: string): Promise<void> {
  const fixed = [
    '-noappend',
    '-no-progress',
    '-quiet',
    '-all-root',
    '-no-xattrs',
    '-no-exports',
    '-mkfs-time',
    '0',
    '-all-time',
    '0',
  ]
  await runCommand('mksquashfs', [folder, output, ...fixed, '-comp', 'lz4', '-Xhc', '-b', '128K'])
}
