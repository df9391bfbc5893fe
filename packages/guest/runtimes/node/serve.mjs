/**
 * Starts a program in the guest: imports its entrypoint and, when that exports a fetch handler
 * (`export default function (request: Request): Response`, or an object with such a `fetch`), serves HTTP with it.
 * A module that starts a server on PORT by itself is left to do so.
 */

import { once } from 'node:events'
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

/** @param {import('node:http').Server} server */
async function close(server) {
  const closed = once(server.close(), 'close')
  server.closeIdleConnections()
  await closed
}

/**
 * Serves at PORT, and where the agent connects, if it named such a place.
 *
 * @param {Handler} handler @param {string | undefined} agentSocket
 */
function serve(handler, agentSocket) {
  const servers = []
  // Before the port: when something listens there, the agent looks whether it may connect here.
  if (agentSocket) servers.push(createHandlerServer(handler).listen(agentSocket.replace(/^@/, '\0')))
  const { PORT = 8080, HOST = '127.0.0.1' } = process.env
  servers.push(createHandlerServer(handler).listen(Number(PORT), HOST))
  process.once('SIGTERM', async () => {
    await Promise.all(servers.map(close))
    process.exit(0)
  })
}

/** Takes the name of the place where the agent connects: processes that the program starts shall not listen there. */
function takeAgentSocket() {
  const { ALEPH_SOCKET } = process.env
  delete process.env.ALEPH_SOCKET
  return ALEPH_SOCKET
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
  const agentSocket = takeAgentSocket()
  register()
  const path = findModule(process.argv[2] ?? 'index')
  process.argv.splice(1, 2, path)
  // What runs once or twice costs less when V8 remembers nothing of it: so do a program's functions at its first call.
  setFlagsFromString('--lazy-feedback-allocation')
  const handler = findHandler(await import(pathToFileURL(path).href))
  if (handler !== null) serve(handler, agentSocket)
  else
    process.once('beforeExit', () => {
      console.error('The program exports no default handler and started no server on PORT')
      process.exit(1)
    })
} catch (error) {
  console.error(error)
  process.exit(1)
}
