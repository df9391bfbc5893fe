import { z } from 'zod'
import {
  hashField,
  listField,
  pageAnswer,
  pageFields,
  secondsField,
  sortOrderField,
  textField,
} from './query-fields.ts'
import { defineRoute } from './route.ts'

const tag = 'Posts'

/** Parameters that choose posts (protocol 03 §6). */
export const postFilterSchema = z.object({
  ...pageFields(20),
  addresses: listField(textField).meta({ description: 'Owners.' }),
  hashes: listField(hashField).meta({ description: 'Hashes of originals.' }),
  refs: listField(textField),
  types: listField(textField),
  postTypes: listField(textField).meta({ deprecated: true }),
  tags: listField(textField),
  channels: listField(textField),
  startDate: secondsField,
  endDate: secondsField,
  sortBy: z.enum(['time', 'tx-time']).default('time'),
  sortOrder: sortOrderField,
})

export const apiPostSchema = z.looseObject({
  item_hash: z.string(),
  content: z.unknown(),
  original_item_hash: z.string(),
  original_type: z.string().nullable(),
  address: z.string(),
  ref: z.string().nullable(),
  channel: z.string().nullable(),
  created: z.string(),
  last_updated: z.string(),
})

const example = {
  item_hash: '5678…',
  content: { body: 'Hello, again' },
  original_item_hash: '1234…',
  original_type: 'note',
  address: '0x696879aE4F6d8DaDD5b8F1cbb1e663B89b08f106',
  ref: null,
  channel: 'TEST',
  created: '2023-05-01T00:00:00+00:00',
  last_updated: '2023-05-02T00:00:00+00:00',
}
const page = { pagination_page: 1, pagination_per_page: 20, pagination_total: 1, pagination_item: 'posts' }

const listPosts = defineRoute({
  method: 'GET',
  path: '/api/v1/posts.json',
  tag,
  summary: 'Posts with their newest amends',
  query: postFilterSchema,
  answer: z.looseObject({ posts: z.array(apiPostSchema), ...pageAnswer }),
  example: { posts: [example], ...page },
})

const listPostsV0 = defineRoute({
  method: 'GET',
  path: '/api/v0/posts.json',
  tag,
  summary: 'Posts with their newest amends, in the older shape',
  query: postFilterSchema,
  answer: z.looseObject({
    posts: z.array(
      z.looseObject({
        item_hash: z.string(),
        original_item_hash: z.string(),
        type: z.string(),
        sender: z.string(),
        time: z.number(),
      }),
    ),
    ...pageAnswer,
  }),
  example: {
    posts: [
      {
        item_hash: '5678…',
        original_item_hash: '1234…',
        type: 'amend',
        sender: example.address,
        time: 1683000000,
      },
    ],
    ...page,
  },
})

export const postApiRoutes = {
  listPosts,
  listPostsV0,
  listPostsByPage: defineRoute({ ...listPosts, path: '/api/v1/posts/page/{page}.json' }),
  listPostsV0ByPage: defineRoute({ ...listPostsV0, path: '/api/v0/posts/page/{page}.json' }),
}
