import { noise } from '@chainsafe/libp2p-noise'
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'

/** Gathered bytes above which they are sent at once: about one Noise message. */
const enoughBytes = 64 * 1024

/**
 * Noise that encrypts what is sent in one turn of the event loop as one message, and writes it with one system call.
 * By itself it encrypts every frame of the muxer alone and writes each in two parts, which at some hundred small
 * messages a second is most of what a node does. The bytes on the wire mean the same.
 */
export function thriftyNoise(): (components: Parameters<ReturnType<typeof noise>>[0]) => ConnectionEncrypter {
  return (components) => {
    const encrypter = noise()(components)
    const inbound = encrypter.secureInbound.bind(encrypter)
    const outbound = encrypter.secureOutbound.bind(encrypter)
    encrypter.secureInbound = async (connection, options) => {
      writeWhole(connection)
      const secured = await inbound(connection, options)
      gatherSends(secured.connection)
      return secured
    }
    encrypter.secureOutbound = async (connection, options) => {
      writeWhole(connection)
      const secured = await outbound(connection, options)
      gatherSends(secured.connection)
      return secured
    }
    return encrypter
  }
}

/** A list of buffers becomes one: a socket writes each of them by itself. */
function writeWhole(stream: MessageStream): void {
  const send = stream.send.bind(stream)
  stream.send = (data) => send(data.subarray())
}

function gatherSends(stream: MessageStream): void {
  const send = stream.send.bind(stream)
  const close = stream.close.bind(stream)
  let gathered: Uint8Array[] = []
  let bytes = 0

  function flush(): boolean {
    const data = Buffer.concat(gathered, bytes)
    gathered = []
    bytes = 0
    return data.length === 0 || stream.status !== 'open' || send(data)
  }

  function flushLater(): void {
    try {
      flush()
    } catch (error) {
      // The connection below is closing: nobody is there to be told, but those who use this one.
      stream.abort(error as Error)
    }
  }

  stream.send = (data) => {
    if (stream.status !== 'open') return send(data)
    if (bytes === 0) setImmediate(flushLater)
    gathered.push(data.subarray())
    bytes += data.byteLength
    return bytes < enoughBytes ? !stream.writableNeedsDrain : flush()
  }
  stream.close = (options) => {
    flushLater()
    return close(options)
  }
}
