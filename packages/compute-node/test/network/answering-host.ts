import { createServer } from 'node:net'

/** Says on every given port, at every address of its namespace, who it sees. */
for (const port of process.argv.slice(2)) {
  createServer((socket) => {
    socket.on('error', () => {})
    socket.end(`hello ${socket.remoteAddress?.replace('::ffff:', '')}\n`)
  }).listen(Number(port), '::')
}
console.log('ready')
