import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream'

/** A process that carries connections from sockets in the file system to places that only its namespace reaches. */
const doors = JSON.parse(process.argv[2]!) as { path: string; host: string; port: number }[]
for (const { path, host, port } of doors) {
  const server = createServer((near) => {
    const far = connect(port, host)
    pipeline(near, far, () => far.destroy())
    pipeline(far, near, () => near.destroy())
  })
  await once(server.listen(path), 'listening')
}
console.log('open')
