import type { VmProgram } from './vm-lab.ts'

function shell(script: string): VmProgram {
  return {
    runtime: 'binary',
    entrypoint: 'run.sh',
    files: { 'run.sh': `#!/bin/sh\n${script}\n`, 'page.txt': 'a page\n' },
  }
}

export const staticSite = shell('exec busybox httpd -f -p 127.0.0.1:8080 -h /code')

/** Says goodbye when it is asked to end. */
export const politeSite = shell(
  "trap 'echo goodbye; exit 0' TERM\nbusybox httpd -f -p 127.0.0.1:8080 -h /code &\nwait",
)

export const exitsAtStart = shell('echo "cannot find my database"\nexit 7')

export const neverListens = shell('echo "thinking about it"\nsleep 1000')

/** Draws from every source of randomness before the snapshot is taken, so that all their stores are filled. */
export const randomNumbers: VmProgram = {
  runtime: 'node',
  entrypoint: 'main.ts',
  files: {
    'main.ts': `
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
const draw = () => ({
  bytes: randomBytes(16).toString('hex'),
  uuid: randomUUID(),
  integers: [randomInt(2 ** 40), randomInt(2 ** 40)].join(),
  math: [Math.random(), Math.random()].join(),
  webUuid: crypto.randomUUID(),
  webValues: Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex'),
  kernel: readFileSync('/proc/sys/kernel/random/uuid', 'utf8').trim(),
})
const atStart = draw()
export default (): Response => Response.json({ atStart, drawn: draw(), time: Date.now() / 1000 })
`,
  },
}

/** Knows in its memory how often it was called. */
export const counter: VmProgram = {
  runtime: 'node',
  entrypoint: 'main.ts',
  files: {
    'main.ts': `
let calls = 0
export default (): Response => Response.json({ calls: ++calls, time: Date.now() / 1000 })
`,
  },
}
