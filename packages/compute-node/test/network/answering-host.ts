import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'

const greeting = (address = '') => `hello ${address.replace('::ffff:', '')}\n`

/** A datagram's answer comes from the address it was sent to only when the socket has that address. */
function addresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return ['::', ...all.filter(({ address }) => !address.startsWith('fe80')).map(({ address }) => address)]
}

/** Says on every given port, by TCP and UDP, at every address of its namespace, who it sees. */
for (const port of process.argv.slice(2).map(Number)) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(greeting(socket.remoteAddress))
  })
  await once(server.listen(port, '::'), 'listening')
  for (const address of addresses()) {
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', reuseAddr: true })
    socket.on('message', (_, sender) => socket.send(greeting(sender.address), sender.port, sender.address))
    await once(socket.bind(port, address), 'listening')
  }
}
console.log('ready')
