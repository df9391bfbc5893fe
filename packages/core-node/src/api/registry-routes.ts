import {
  addressKey,
  apiRoutes,
  type ComputeNode,
  type CoreNode,
  type NetworkScore,
  sha256Hex,
} from '@aleph-ts/protocol'
import type { FastifyInstance } from 'fastify'
import type { IgnoredPost } from '../registry/registry-posts.ts'
import { ApiError } from './api-error.ts'
import { namesTag } from './names-tag.ts'
import { serve } from './serve.ts'
import type { ApiContext, ApiServices } from './server.ts'

/** Posts told about one node. */
const mostOfNode = 100

interface NodeFilter {
  status?: string | undefined
  owner?: string | undefined
  q?: string | undefined
}

/** Who belongs to the network, and why posts did not change it (protocol 06 §2). */
export function registryRoutes({ profile }: ApiContext, { registry, scores }: ApiServices) {
  const published = { of: null as object | null, digest: '' }

  function current() {
    const { source, corechannel, view } = registry
    if (!corechannel) {
      throw new ApiError(503, 'no_registry', 'There is no registry of nodes here yet; try again later')
    }
    if (source === 'computed' && view)
      return { source, corechannel, height: view.height, digest: view.digest }
    if (published.of !== corechannel) {
      published.of = corechannel
      published.digest = sha256Hex(JSON.stringify(corechannel))
    }
    return { source, corechannel, height: null, digest: published.digest }
  }

  return async (server: FastifyInstance): Promise<void> => {
    serve(
      server,
      apiRoutes.listNodes,
      ({ query, request, reply }) => {
        const { source, corechannel, height, digest } = current()
        const etag = `"${digest}"`
        reply.header('etag', etag).header('cache-control', 'no-cache')
        if (namesTag(request.headers['if-none-match'], etag)) return reply.code(304).send()
        const { type } = query
        return {
          source,
          height,
          digest,
          nodes: type === 'compute' ? [] : filtered(corechannel.nodes, query),
          resource_nodes: type === 'core' ? [] : filtered(corechannel.resource_nodes, query),
        }
      },
      { compress: {} },
    )

    serve(server, apiRoutes.checkNodeOperation, ({ body }) => {
      const outcome = registry.computed?.check({ ...body, address: addressKey('ETH', body.address) })
      if (outcome === undefined) {
        throw new ApiError(503, 'no_registry', 'This node computes no registry (yet); ask another one')
      }
      return {
        allowed: outcome === null,
        reason: outcome?.reason ?? null,
        detail: outcome?.detail ?? null,
      }
    })

    serve(server, apiRoutes.listIgnoredPosts, ({ query }) => {
      const { address, reason, node, limit } = query
      const owner = address && addressKey('ETH', address)
      const found = (registry.view?.ignored ?? []).filter(
        (post) =>
          (!owner || addressKey('ETH', post.address) === owner) &&
          (!reason || post.reason === reason) &&
          (!node || post.ref === node || post.itemHash === node),
      )
      return { ignored: found.slice(-limit).reverse().map(shownPost), total: found.length }
    })

    serve(server, apiRoutes.listRegistryDifferences, () => ({
      publisher: profile.addresses.corechannel,
      divergent: registry.isDivergent,
      differences: [...registry.differences],
    }))

    serve(server, apiRoutes.explainScore, async ({ params: { hash } }) => {
      const { corechannel } = current()
      const node = [...corechannel.nodes, ...corechannel.resource_nodes].find((each) => each.hash === hash)
      if (!node) throw new ApiError(404, 'node_not_found', `No node is registered as ${hash}`)
      const post = await scores.latest()
      const unexplained = post ? await scores.unexplained(post) : []
      const all = post?.period ? await scores.compute(post.period) : { ccn: [], crn: [] }
      const found = [...all.ccn, ...all.crn].find((each) => each.node_id === hash)
      return {
        hash,
        score: node.score,
        period: post?.period ?? null,
        post: post?.itemHash ?? null,
        explained: found !== undefined && !unexplained.includes(hash),
        computed: found ? shownScore(found) : null,
        observers: (found?.observers ?? []).map(({ observer, rating }) => ({
          observer,
          total: rating.total,
          version: rating.version,
          factors: rating.factors,
        })),
      }
    })

    serve(server, apiRoutes.getNode, ({ params: { hash } }) => {
      const { source, corechannel } = current()
      const core = corechannel.nodes.find((each) => each.hash === hash)
      const node = core ?? corechannel.resource_nodes.find((each) => each.hash === hash)
      const ignored = (registry.view?.ignored ?? []).filter(
        (post) => post.ref === hash || post.itemHash === hash,
      )
      if (!node) {
        const why = ignored.at(-1)?.detail
        throw new ApiError(404, 'node_not_found', `No node is registered as ${hash}${why ? `: ${why}` : ''}`)
      }
      return {
        type: core ? ('core' as const) : ('compute' as const),
        source,
        node,
        ignored: ignored.slice(-mostOfNode).reverse().map(shownPost),
      }
    })
  }
}

function filtered<T extends CoreNode | ComputeNode>(nodes: T[], { status, owner, q }: NodeFilter): T[] {
  const wanted = q?.toLowerCase()
  const key = owner && addressKey('ETH', owner)
  return nodes.filter(
    (node) =>
      (!status || node.status === status) &&
      (!key || addressKey('ETH', node.owner) === key) &&
      (!wanted ||
        [node.name, node.address, node.hash, node.owner].some((text) => text.toLowerCase().includes(wanted))),
  )
}

function shownPost({ itemHash, ...post }: IgnoredPost) {
  return { item_hash: itemHash, ...post }
}

function shownScore({ total_score, performance, version, decentralization, measurements }: NetworkScore) {
  return { total_score, performance, version, decentralization, measurements }
}
