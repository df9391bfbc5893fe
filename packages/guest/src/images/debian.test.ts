import { describe, expect, it } from 'vitest'
import { isSuperseded, parseDownloadNames } from './debian.ts'

const printed = `Some note of apt
'http://deb.debian.org/debian/pool/main/z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb' zlib1g_1%3a1.2.13.dfsg-1_amd64.deb 86684 SHA256:d7dd
'http://deb.debian.org/debian/pool/main/g/glibc/libc6_2.36-9+deb12u10_amd64.deb' libc6_2.36-9+deb12u10_amd64.deb 2700000 SHA256:00ff
'http://deb.debian.org/debian/pool/main/l/linux-signed-amd64/linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb' linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb 29000000 SHA256:11ee
`

describe('kept Debian packages', () => {
  const files = parseDownloadNames(printed)

  it('are named as apt names them', () => {
    expect([...files]).toEqual([
      ['zlib1g', 'zlib1g_1%3a1.2.13.dfsg-1_amd64.deb'],
      ['libc6', 'libc6_2.36-9+deb12u10_amd64.deb'],
      ['linux-image-6.1.0-56-cloud-amd64', 'linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb'],
    ])
  })

  it('give way to newer versions of themselves, and only to those', () => {
    expect(isSuperseded('libc6_2.36-9+deb12u9_amd64.deb', files)).toBe(true)
    expect(isSuperseded('libc6_2.36-9+deb12u10_amd64.deb', files)).toBe(false)
    expect(isSuperseded('linux-image-6.1.0-9-cloud-amd64_6.1.27-1_amd64.deb', files)).toBe(true)
    expect(isSuperseded('python3-h11_0.14.0-1_all.deb', files)).toBe(false)
  })
})
