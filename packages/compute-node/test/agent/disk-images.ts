import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Tools of administrators are not on everybody's path. */
const administrator = { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }, stdio: 'ignore' as const }

/** A disk with one ext4 file system that holds these files, all of them root's. */
export async function ext4Image(
  files: Record<string, string>,
  sizeMiB: number,
  format: 'raw' | 'qcow2' = 'raw',
): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'aleph-ext4-'))
  try {
    const [content, raw, image] = [join(folder, 'content'), join(folder, 'raw'), join(folder, 'image')]
    await mkdir(content)
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(content, name)), { recursive: true })
      await writeFile(join(content, name), text)
    }
    const options = ['-q', '-t', 'ext4', '-E', 'root_owner=0:0', '-d', content, raw, `${sizeMiB}M`]
    execFileSync('mke2fs', options, administrator)
    for (const name of Object.keys(files).flatMap(withFolders)) {
      execFileSync('debugfs', ['-w', '-R', `set_inode_field /${name} uid 0`, raw], administrator)
    }
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, raw, image])
    return await readFile(image)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A path, and the folders it is in. */
function withFolders(path: string): string[] {
  const parent = dirname(path)
  return parent === '.' ? [path] : [path, ...withFolders(parent)]
}
