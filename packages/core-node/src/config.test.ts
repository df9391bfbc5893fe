import { expect, test } from 'vitest'
import { configFromEnvironment } from './config.ts'

test('everything but the data folder has a default', () => {
  const config = configFromEnvironment({ ALEPH_CORE_DATA_DIR: '/data', ALEPH_CORE_ETHEREUM_RPC: '' })
  expect(config).toMatchObject({
    dataDir: '/data',
    http: { host: '127.0.0.1', port: 4024 },
    p2p: { host: '127.0.0.1', port: 4025, peers: [] },
    privateKeyFile: '/data/operator.key',
    ethereumRpc: undefined,
  })
  expect(config.profile.name).toBe('devnet')
})

test('wrong settings are named, all at once', () => {
  const wrong = { ALEPH_CORE_HTTP_PORT: '70000', ALEPH_CORE_LOG_LEVEL: 'loud' }
  expect(() => configFromEnvironment(wrong)).toThrow(/DATA_DIR.*HTTP_PORT.*LOG_LEVEL/s)
  const unknown = { ALEPH_CORE_DATA_DIR: '/data', ALEPH_CORE_PROFILE: 'moon' }
  expect(() => configFromEnvironment(unknown)).toThrow('no profile is named "moon"')
})
