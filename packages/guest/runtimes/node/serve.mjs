/**
 * Starts a program in the guest: imports its entrypoint and, when that exports a fetch handler
 * (`export default function (request: Request): Response`, or an object with such a `fetch`), serves HTTP with it.
 * A module that starts a server on PORT by itself is left to do so.
 */

import { existsSync, statSync } from 'node:fs'
import { Socket } from 'node:net'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { createHandlerServer } from './handler-server.mjs'
import { offerRenewal } from './randomness.mjs'
import { rehearse } from './rehearsal.mjs'
import { replaceWebGlobals } from './web-globals.mjs'

/** @typedef {import('./handler-server.mjs').Handler} Handler */

const extensions = ['', '.ts', '.mts', '.js', '.mjs', '.cts', '.cjs']

/** @param {string} entrypoint @returns {string} */
function findModule(entrypoint) {
  const path = resolve('/code', entrypoint)
  for (const base of [path, join(path, 'index')])
    for (const extension of extensions)
      if (existsSync(base + extension) && statSync(base + extension).isFile()) return base + extension
  throw new Error(
    `There is no module "${entrypoint}" in the program (tried it with ${extensions.slice(1).join(', ')})`,
  )
}

/** @param {{ default?: unknown }} module @returns {Handler | null} */
function findHandler(module) {
  const exported = /** @type {any} */ (module.default)
  if (typeof exported === 'function') return exported
  if (typeof exported?.fetch === 'function') return exported.fetch.bind(exported)
  return null
}

/** @param {Handler} handler */
function serve(handler) {
  const server = createHandlerServer(handler)
  server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? '127.0.0.1')
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}

/**
 * Waits for the program, when the agent started this process before there was one; meanwhile everything that a
 * program needs of Node is loaded and compiled, to be part of the snapshot that later starts begin from.
 *
 * @param {() => void} register
 */
async function receiveProgram(register) {
  const fd = Number(process.env.ALEPH_PROGRAM_FD)
  if (!Number.isInteger(fd) || fd < 3) return
  await rehearse()
  await import('/aleph/warm.ts')
  const handover = new Socket({ fd, readable: true, writable: false })
  register()
  const [folder, count, ...rest] = (await text(handover)).split('\0').slice(0, -1)
  const args = rest.slice(0, Number(count))
  for (const name of Object.keys(process.env)) delete process.env[name]
  for (const variable of rest.slice(Number(count))) {
    const equals = variable.indexOf('=')
    process.env[variable.slice(0, equals)] = variable.slice(equals + 1)
  }
  delete process.env.ALEPH_RENEW_FD
  delete process.env.ALEPH_GENERATION
  process.argv.splice(2, Infinity, ...args)
  process.chdir(String(folder))
}

try {
  replaceWebGlobals()
  const register = offerRenewal(rehearse)
  await receiveProgram(register)
  register()
  const path = findModule(process.argv[2] ?? 'index')
  process.argv.splice(1, 2, path)
  setFlagsFromString('--lazy-feedback-allocation')
  const handler = findHandler(await import(pathToFileURL(path).href))
  if (handler !== null) serve(handler)
  else
    process.once('beforeExit', () => {
      console.error('The program exports no default handler and started no server on PORT')
      process.exit(1)
    })
} catch (error) {
  console.error(error)
  process.exit(1)
}
