/**
 * Randomness that clones of one snapshot do not share: every source in this process can be renewed, and is when the
 * agent asks for it.
 */

import nodeCrypto from 'node:crypto'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { Socket } from 'node:net'
import process from 'node:process'

/** State of the generator (xoshiro128**) behind Math.random. */
const state = new Uint32Array(4)

/** @param {number} value @param {number} bits */
const rotate = (value, bits) => (value << bits) | (value >>> (32 - bits))

/** 32 random bits. */
function next() {
  const [a = 0, b = 0, c = 0, d = 0] = state
  const result = Math.imul(rotate(Math.imul(b, 5), 7), 9)
  state[0] = a ^ d ^ b
  state[1] = b ^ c ^ a
  state[2] = c ^ a ^ (b << 9)
  state[3] = rotate(d ^ b, 11)
  return result >>> 0
}

/** V8 seeds its own Math.random once and offers no way to do it again. */
function replaceMathRandom() {
  Math.random = function random() {
    return ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000
  }
}

/** Node keeps random bytes for identifiers to come, which clones of one snapshot would share: have it keep none. */
function keepNoIdentifiersInStore() {
  const { randomUUID } = nodeCrypto
  const fresh = () => randomUUID({ disableEntropyCache: true })
  nodeCrypto.randomUUID = fresh
  Crypto.prototype.randomUUID = fresh
  syncBuiltinESMExports()
}

/**
 * Replaces what could not be renewed, and renews everything whenever the agent asks. It also asks for rehearsals.
 *
 * @param {() => Promise<void>} rehearse
 * @returns {() => void} Tells the agent that this process can; calls after the first do nothing.
 */
export function offerRenewal(rehearse) {
  keepNoIdentifiersInStore()
  replaceMathRandom()
  nodeCrypto.getRandomValues(state)
  const fd = Number(process.env.ALEPH_RENEW_FD)
  delete process.env.ALEPH_RENEW_FD
  if (!Number.isInteger(fd) || fd < 3) return () => {}
  const { renew } = createRequire(import.meta.url)('/aleph/renew.node')
  const socket = new Socket({ fd, readable: true, writable: true })
  socket.on('data', (wish) => {
    if (wish.includes('w')) {
      rehearse().then(() => socket.write('d'), console.error)
      return
    }
    renew()
    nodeCrypto.getRandomValues(state)
    socket.write('d')
  })
  socket.on('error', () => {})
  let registered = false
  return () => {
    if (!registered) socket.write('h')
    registered = true
    socket.unref()
  }
}
