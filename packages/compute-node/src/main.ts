#!/usr/bin/env node
import { ComputeNode } from './compute-node.ts'
import { configFromEnvironment } from './config.ts'
import { runDoctor } from './doctor/doctor.ts'

/**
 * Runs one compute node from its environment: one JSON line on stdout when ready, logs on stderr. With `doctor`
 * only looks whether one would run here.
 */
async function main(): Promise<void> {
  const [command, ...args] = process.argv.slice(2)
  if (command === 'doctor') {
    process.exitCode = await runDoctor(args, (line) => void process.stdout.write(`${line}\n`))
    return
  }
  const config = configFromEnvironment(process.env)
  const stopVmsOnExit = config.stopVmsOnExit || process.argv.includes('--stop-vms')
  const node = await ComputeNode.create({ ...config, stopVmsOnExit })
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= node.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // While the hypervisor is probed nothing else may hold the event loop: QEMU is not a child to wait for.
  const alive = setInterval(() => undefined, 60_000)
  const status = await node.start().finally(() => clearInterval(alive))
  if (!stopping) process.stdout.write(`${JSON.stringify({ ready: true, ...status })}\n`)
}

function fail(error: unknown): never {
  const { code, message, stack } = error as Error & { code?: string }
  process.stderr.write(
    `${JSON.stringify({ level: 60, code, msg: message, stack: code ? undefined : stack })}\n`,
  )
  process.exit(1)
}

await main().catch(fail)
