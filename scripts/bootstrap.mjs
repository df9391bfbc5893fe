// The one entry point of every npm script. It runs on any Node ≥ 20, brings the packages (Node 24 among
// them), and hands over to that Node, where TypeScript runs as it is. Plain JavaScript for that reason.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const lockfile = join(root, 'package-lock.json')
const installedMark = join(root, 'node_modules', '.installed-lock-sha256')
const node24 = join(root, 'node_modules', 'node', 'bin', 'node')

installPackages()
requireNode24()
handOver()

/**
 * Installs what the lockfile says, when it is not the one that was installed last. Not with `npm ci`: that refuses
 * a lockfile without the packages of foreign platforms, which not every registry carries.
 */
function installPackages() {
  const lock = createHash('sha256').update(readFileSync(lockfile)).digest('hex')
  if (existsSync(installedMark) && readFileSync(installedMark, 'utf8') === lock) return
  console.error('▸ Installing packages (Node 24 is one of them) …')
  const started = Date.now()
  // Engines are those of Node 24, which this very install brings: npm's warnings about the older one are noise.
  const npm = spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (npm.status !== 0) fail('npm install failed (its messages are above). Mend what it names and run again.')
  writeFileSync(installedMark, lock)
  console.error(`  done in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

function requireNode24() {
  const probe = existsSync(node24) ? spawnSync(node24, ['--version'], { encoding: 'utf8' }) : undefined
  if (probe?.status === 0) return
  fail(
    `Node 24 is not where the npm package "node" should have put it (${node24}). ` +
      'Its install script may have been skipped: run "npm rebuild node".',
  )
}

/** Runs the task on Node 24 with its `bin` folder first on the PATH, and passes signals and the exit code on. */
function handOver() {
  const bin = join(root, 'node_modules', '.bin')
  const task = spawn(node24, [join(root, 'scripts', 'tasks.ts'), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  })
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => task.kill(signal))
  }
  task.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
}

/** @param {string} message */
function fail(message) {
  console.error(`✗ ${message}`)
  process.exit(1)
}
