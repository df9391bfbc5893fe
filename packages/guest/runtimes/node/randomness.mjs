/**
 * Randomness that clones of one snapshot do not share. OpenSSL takes it from the kernel each time; what JavaScript keeps
 * is made anew at its first use in a clone, which shows in the agent's generation counter.
 */

import nodeCrypto from 'node:crypto'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { Socket } from 'node:net'
import process from 'node:process'

/** How many numbers Node's `randomInt` keeps ready. */
const keptIntegers = 1024

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

/** V8 seeds its own Math.random once and offers no way to do it again. @param {Uint32Array} generation */
function replaceMathRandom(generation) {
  let seededIn = -1
  Math.random = function random() {
    if (seededIn !== generation[0]) {
      nodeCrypto.getRandomValues(state)
      seededIn = generation[0] ?? 0
    }
    return ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000
  }
}

/** Node keeps random bytes for integers to come: the first use in a clone uses up those of before. @param {Uint32Array} generation */
function renewIntegers(generation) {
  const { randomInt } = nodeCrypto
  let keptSince = generation[0]
  nodeCrypto.randomInt = /** @type {any} */ (
    (/** @type {[number]} */ ...args) => {
      if (keptSince !== generation[0]) {
        keptSince = generation[0]
        for (let i = 0; i < keptIntegers; i++) randomInt(2)
      }
      return randomInt(...args)
    }
  )
}

/** The same for identifiers, which need no store. */
function keepNoIdentifiers() {
  const { randomUUID } = nodeCrypto
  const fresh = () => randomUUID({ disableEntropyCache: true })
  nodeCrypto.randomUUID = fresh
  Crypto.prototype.randomUUID = fresh
}

/**
 * Has every source of randomness in this process renewed in clones, and rehearses when the agent asks for it.
 *
 * @param {() => Promise<void>} rehearse
 * @returns {() => void} Tells the agent that this process is ready; calls after the first do nothing.
 */
export function offerRenewal(rehearse) {
  /** @type {{ generation?: ArrayBuffer }} */
  const kernel = createRequire(import.meta.url)('/aleph/kernel-randomness.node')
  // An agent without a counter asks each time instead.
  const generation = new Uint32Array(kernel.generation ?? new ArrayBuffer(4))
  replaceMathRandom(generation)
  renewIntegers(generation)
  keepNoIdentifiers()
  syncBuiltinESMExports()
  const fd = Number(process.env.ALEPH_RENEW_FD)
  delete process.env.ALEPH_RENEW_FD
  delete process.env.ALEPH_GENERATION
  if (!Number.isInteger(fd) || fd < 3) return () => {}
  const socket = new Socket({ fd, readable: true, writable: true })
  socket.on('data', (wish) => {
    if (wish.includes('w')) {
      rehearse().then(() => socket.write('d'), console.error)
      return
    }
    if (!kernel.generation) generation[0] = (generation[0] ?? 0) + 1
    socket.write('d')
  })
  socket.on('error', () => {})
  let registered = false
  return () => {
    if (!registered) socket.write(kernel.generation ? 'g' : 'h')
    registered = true
    socket.unref()
  }
}
