import { describe, expect, it } from 'vitest'
import { refusedOptions } from './kernel-configuration.ts'

const configuration = `# CONFIG_SMP is not set
CONFIG_EXT4_FS=y
CONFIG_SERIAL_8250_NR_UARTS=4
CONFIG_DEFAULT_HOSTNAME="(none)"
`

describe('the check of a kernel configuration', () => {
  it('is content when every wished option took', () => {
    const wished = '# file systems\nCONFIG_EXT4_FS=y\n\nCONFIG_DEFAULT_HOSTNAME="(none)"\n'
    expect(refusedOptions(wished, configuration)).toEqual([])
  })

  it('names an option that is absent, off, or has another value', () => {
    const wished = 'CONFIG_SQUASHFS=y\nCONFIG_SMP=y\nCONFIG_SERIAL_8250_NR_UARTS=1\nCONFIG_EXT4_FS=y\n'
    expect(refusedOptions(wished, configuration)).toEqual([
      'CONFIG_SQUASHFS=y',
      'CONFIG_SMP=y',
      'CONFIG_SERIAL_8250_NR_UARTS=1',
    ])
  })
})
