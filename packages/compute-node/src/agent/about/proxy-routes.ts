import type { FastifyInstance } from 'fastify'
import type { InstanceWeb } from '../instances/instance-web.ts'
import type { CustomDomains } from '../proxy/custom-domains.ts'

export interface ProxyRoutesOptions {
  customDomains: CustomDomains
  web: InstanceWeb
}

/** Which domains lead where just now: what the production node tells of its HAProxy (protocol 05 §8.5). */
export async function proxyRoutes(app: FastifyInstance, options: ProxyRoutesOptions): Promise<void> {
  const { customDomains, web } = options
  app.get('/debug/haproxy', async () => {
    const leadingTo = (port: number) =>
      customDomains.known().flatMap(({ name, hash }) => {
        const place = web.placeOf(hash, port)
        return place ? [{ name, item_hash: hash, address: `${place.host}:${place.port}` }] : []
      })
    return { status: 'ok', backends: { http: leadingTo(80), https: leadingTo(443) } }
  })
}
