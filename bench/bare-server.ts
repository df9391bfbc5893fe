import process from 'node:process'
import Fastify from 'fastify'

/** A server that gives one answer, kept in memory, from a bare route: what a node's answers are measured against. */
const url = process.argv[2]!
const answer = await fetch(url)
const type = answer.headers.get('content-type') ?? 'application/json'
const body = Buffer.from(await answer.arrayBuffer())
const server = Fastify()
server.get('/', (_request, reply) => reply.type(type).send(body))
process.stdout.write(`${await server.listen({ host: '127.0.0.1', port: 0 })}\n`)
