#!/usr/bin/env node
import { coreNodeProgram } from './cli/program.ts'
import { ConfigError } from './config.ts'

try {
  await coreNodeProgram().parseAsync()
} catch (error) {
  const isExpected = error instanceof ConfigError || 'code' in (error as Error)
  process.stderr.write(`${isExpected ? (error as Error).message : (error as Error).stack}\n`)
  process.exit(1)
}
