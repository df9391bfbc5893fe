import type { FastifyInstance } from 'fastify'

/** Watches which routes a server gets; the function says which methods a path takes. Call before adding routes. */
export function allowedMethods(server: FastifyInstance): (url: string) => string[] {
  const byPattern = new Map<string, { matcher: RegExp; methods: Set<string> }>()
  server.addHook('onRoute', ({ url, method }) => {
    const pattern = url
      .split(/(:\w+|\*)/)
      .map(matching)
      .join('')
    const known = byPattern.get(url) ?? { matcher: new RegExp(`^${pattern}$`), methods: new Set() }
    for (const each of [method].flat()) if (each !== 'OPTIONS') known.methods.add(each)
    byPattern.set(url, known)
  })
  return (url) => {
    const path = url.split('?', 1)[0]!
    const methods = [...byPattern.values()]
      .filter(({ matcher }) => matcher.test(path))
      .flatMap((route) => [...route.methods])
    return [...new Set(methods)].sort()
  }
}

/** What a part of a route's pattern matches. */
function matching(part: string): string {
  if (part === '*') return '.*'
  return part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
