/** Never part of a program: version control, devnet state, and files that hold secrets. */
const always = ['.git/', '.devnet/', '.env', '.env.*', '.DS_Store', '.alephignore', '.gitignore']

interface Rule {
  pattern: RegExp
  negated: boolean
  foldersOnly: boolean
}

/** Tells whether a path (relative, with `/`) stays out of the bundle. */
export type IsIgnored = (path: string, isFolder: boolean) => boolean

/**
 * Rules in the manner of .gitignore: `#` comments, `!` exceptions, a trailing `/` for folders, a `/` inside for
 * the whole path, `*`, `**`, `?` and `[…]`. The last rule that matches decides.
 */
export function parseIgnoreRules(text: string): IsIgnored {
  const rules = [...always, ...text.split(/\r?\n/)].map(parseRule).filter((rule) => rule !== undefined)
  return (path, isFolder) => {
    const decisive = rules.findLast((rule) => (isFolder || !rule.foldersOnly) && rule.pattern.test(path))
    return decisive !== undefined && !decisive.negated
  }
}

function parseRule(line: string): Rule | undefined {
  const text = line.replace(/(?<!\\)\s+$/, '')
  if (text === '' || text.startsWith('#')) return undefined
  const negated = text.startsWith('!')
  const glob = negated ? text.slice(1) : text
  const body = glob.replace(/\/$/, '').replace(/^\//, '')
  const anchored = glob.replace(/\/$/, '').includes('/')
  return {
    pattern: new RegExp(`^${anchored ? '' : '(?:.*/)?'}${globToPattern(body)}$`),
    negated,
    foldersOnly: glob.endsWith('/'),
  }
}

const tokens = /\*\*\/|\/\*\*$|\*\*|\*|\?|\[!?[^\]/]+\]|\\.|./gs

function globToPattern(glob: string): string {
  return glob.replace(tokens, (token) => {
    if (token === '**/') return '(?:.*/)?'
    if (token === '/**') return '/.*'
    if (token === '**') return '.*'
    if (token === '*') return '[^/]*'
    if (token === '?') return '[^/]'
    if (token.startsWith('[') && token.length > 1) {
      return token.replace(/^\[!/, '[^').replaceAll('\\', '\\\\')
    }
    return (token.startsWith('\\') && token.length > 1 ? token.slice(1) : token).replace(
      /[\\^$.*+?()[\]{}|/]/g,
      '\\$&',
    )
  })
}
