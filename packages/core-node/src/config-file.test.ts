import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { settingNames } from './config.ts'
import { keyOf, loadConfig } from './config-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'aleph-config-'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(settings: unknown): string {
  const path = join(folder, `${Math.random()}.json`)
  writeFileSync(path, typeof settings === 'string' ? settings : JSON.stringify(settings))
  return path
}

test('a node can be configured by a file alone', () => {
  const path = file({
    dataDir: '/data',
    httpPort: 1234,
    p2pPeers: ['/ip4/192.0.2.1/tcp/4025/p2p/a', '/ip4/192.0.2.2/tcp/4025/p2p/b'],
    p2pMembersOnly: true,
    databaseUrl: 'postgresql://db',
    evmRpc: { BASE: 'https://base.example' },
  })
  const config = loadConfig({}, path)
  expect(config.dataDir).toBe('/data')
  expect(config.http.port).toBe(1234)
  expect(config.p2p.peers).toHaveLength(2)
  expect(config.p2p.membersOnly).toBe(true)
  expect(config.databaseUrl).toBe('postgresql://db')
  expect(config.evmRpc).toEqual({ BASE: 'https://base.example' })
})

test('a variable wins over the file, and ALEPH_CORE_CONFIG names it', () => {
  const path = file({ dataDir: '/data', httpPort: 1234, logLevel: 'debug' })
  const config = loadConfig({ ALEPH_CORE_CONFIG: path, ALEPH_CORE_HTTP_PORT: '99', ALEPH_CORE_LOG_LEVEL: '' })
  expect(config.http.port).toBe(99)
  expect(config.logLevel).toBe('debug')
})

test.each([
  ['a setting nobody knows', { dataDir: '/data', htpPort: 1 }, 'there is no setting "htpPort"'],
  ['a setting of the wrong kind', { dataDir: { a: 1 } }, 'dataDir'],
  ['a wrong value', { dataDir: '/data', httpPort: 70000 }, 'ALEPH_CORE_HTTP_PORT'],
  ['a list', [], 'the file'],
  ['a file that is not JSON', '{', 'cannot be read'],
])('%s is named', (_, settings, said) => {
  expect(() => loadConfig({}, file(settings))).toThrow(said)
})

test('every setting is explained in the README, under the name it has', () => {
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
  const missing = settingNames.filter((name) => !readme.includes(`\`${name}\``))
  expect(missing).toEqual([])
  expect(keyOf('ALEPH_CORE_DATA_DIR')).toBe('dataDir')
})
