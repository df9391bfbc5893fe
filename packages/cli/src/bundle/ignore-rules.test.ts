import { describe, expect, it } from 'vitest'
import { parseIgnoreRules } from './ignore-rules.ts'

describe('what an ignore file leaves out', () => {
  const cases: [rules: string, path: string, isFolder: boolean, ignored: boolean][] = [
    ['*.log', 'a.log', false, true],
    ['*.log', 'deep/down/a.log', false, true],
    ['*.log', 'a.logs', false, false],
    ['/build', 'build', true, true],
    ['/build', 'src/build', true, false],
    ['build/', 'src/build', true, true],
    ['build/', 'build', false, false],
    ['docs/*.md', 'docs/a.md', false, true],
    ['docs/*.md', 'docs/deep/a.md', false, false],
    ['docs/**/*.md', 'docs/deep/down/a.md', false, true],
    ['docs/**/*.md', 'docs/a.md', false, true],
    ['**/cache', 'a/b/cache', true, true],
    ['temp/**', 'temp/a/b', false, true],
    ['file?.txt', 'file1.txt', false, true],
    ['file[0-9].txt', 'file7.txt', false, true],
    ['file[!0-9].txt', 'file7.txt', false, false],
    ['*.ts\n!keep.ts', 'keep.ts', false, false],
    ['*.ts\n!keep.ts', 'other.ts', false, true],
    ['# nothing', '# nothing', false, false],
    ['a.b', 'axb', false, false],
    ['a+(b)', 'a+(b)', false, true],
    ['\\!important', '!important', false, true],
    ['trailing   ', 'trailing', false, true],
  ]
  for (const [rules, path, isFolder, ignored] of cases) {
    it(`${JSON.stringify(rules)} ${ignored ? 'leaves out' : 'keeps'} ${path}${isFolder ? '/' : ''}`, () => {
      expect(parseIgnoreRules(rules)(path, isFolder)).toBe(ignored)
    })
  }

  it('always leaves out version control and secrets, unless it is told otherwise', () => {
    const isIgnored = parseIgnoreRules('')
    expect(isIgnored('.git', true)).toBe(true)
    expect(isIgnored('deep/.env', false)).toBe(true)
    expect(isIgnored('.env.local', false)).toBe(true)
    expect(isIgnored('environment.ts', false)).toBe(false)
    expect(parseIgnoreRules('!.env')('.env', false)).toBe(false)
  })
})
