import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findAutonomousSystems } from './autonomous-systems.ts'

const folder = mkdtempSync(join(tmpdir(), 'aleph-asn-'))
const file = join(folder, 'ip2asn.tsv')
writeFileSync(
  file,
  [
    '1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET',
    '1.0.1.0\t1.0.3.255\t0\tNone\tNot routed',
    'no line of a table',
    '51.15.0.0\t51.15.255.255\t12876\tFR\tOnline SAS',
    '2001:bc8::\t2001:bc8:ffff:ffff:ffff:ffff:ffff:ffff\t12876\tFR\tOnline SAS',
  ].join('\n'),
)

afterAll(() => rmSync(folder, { recursive: true }))

test('hosts are found in the ranges of a table, the first and the last address included', async () => {
  const online = { asn: 12876, name: 'Online SAS, FR' }
  expect(
    await findAutonomousSystems(file, ['51.15.0.0', '51.15.255.255', '[2001:bc8::7]', '1.0.0.9']),
  ).toEqual(
    new Map([
      ['51.15.0.0', online],
      ['51.15.255.255', online],
      ['[2001:bc8::7]', online],
      ['1.0.0.9', { asn: 13335, name: 'CLOUDFLARENET, US' }],
    ]),
  )
})

test('what is in no announced range, or has no address, is left out', async () => {
  const hosts = ['51.16.0.0', '1.0.2.1', '::1.0.0.9', 'no-such-host.invalid', '']
  expect(await findAutonomousSystems(file, hosts)).toEqual(new Map())
})
