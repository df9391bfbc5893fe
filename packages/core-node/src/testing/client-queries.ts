import type pg from 'pg'

/** Values that occur in a database, to ask for. */
export interface Sample {
  busySender: string
  quietSender: string
  ref: string
  fileHash: string
  storeHash: string
  storeOwner: string
  vmHash: string
  vmOwner: string
  postHash: string
  hashes: string
  time: number
  height: number
  holder: string
  creditAccount: string
  aggregateOwner: string
  aggregateKey: string
}

export async function sampleOf(pool: pg.Pool): Promise<Sample> {
  const { rows } = await pool.query<Sample>(`
    with senders as (select sender, total as count from sender_counts),
    place as (select min(time) + (max(time) - min(time)) * 0.7 as time from messages),
    around as (select * from messages where time > (select time from place) order by time limit 5000)
    select (select sender from senders order by count desc limit 1) as "busySender",
      (select sender from senders order by count limit 1) as "quietSender",
      (select content_ref from around where content_ref is not null and content_type <> 'amend' limit 1) as "ref",
      (select content_item_hash from around where type = 'STORE' limit 1) as "fileHash",
      (select item_hash from around where type = 'STORE' limit 1) as "storeHash",
      (select owner from around where type = 'STORE' limit 1) as "storeOwner",
      (select item_hash from around where type = 'PROGRAM' limit 1) as "vmHash",
      (select owner from around where type = 'PROGRAM' limit 1) as "vmOwner",
      (select item_hash from around where type = 'POST' and content_type <> 'amend' limit 1) as "postHash",
      (select string_agg(item_hash, ',') from (select item_hash from around limit 100) h) as "hashes",
      (select time from place) as "time",
      (select (max(height) * 0.7)::int from chain_txs) as "height",
      (select address from balances limit 1) as "holder",
      (select address from credit_history limit 1) as "creditAccount",
      (select owner from aggregates where key <> 'security' limit 1) as "aggregateOwner",
      (select key from aggregates where key <> 'security' limit 1) as "aggregateKey"`)
  return rows[0]!
}

/** A list that clients ask for: where, and with which parameters. */
export interface ClientList {
  path: string
  query: string
  /** It has a cursor mode. */
  cursor: boolean
}

/**
 * The lists that clients ask for (protocol 03 §3 to §12, 07): the SDKs' filters, what the console, the dashboards and
 * the explorer show, and what nodes, scoring and billing read.
 */
export function clientLists(s: Sample): ClientList[] {
  const month = `startDate=${s.time}&endDate=${s.time + 30 * 86_400}`
  const recent = `startDate=${s.time}`
  const owned = [`addresses=${s.busySender}`, `addresses=${s.quietSender}`, `owners=${s.busySender}`]
  const messages = [
    '',
    'pagination=15',
    'pagination=200',
    'sortOrder=1',
    'contentFormat=headers',
    'excludeContent=true',
    ...['POST', 'AGGREGATE', 'STORE', 'PROGRAM', 'INSTANCE', 'FORGET', 'V-PROGRAM'].map(
      (t) => `msgType=${t}`,
    ),
    'msgTypes=PROGRAM,INSTANCE',
    'msgTypes=STORE,AGGREGATE&sortOrder=1',
    'msgStatuses=processed',
    'msgStatuses=processed,removing',
    'msgStatuses=removing',
    ...owned.flatMap((who) => [
      who,
      `${who}&sortOrder=1`,
      ...['POST', 'AGGREGATE', 'STORE', 'PROGRAM', 'INSTANCE'].map((type) => `${who}&msgTypes=${type}`),
      `${who}&msgTypes=PROGRAM,INSTANCE&channels=channel-3`,
      `${who}&msgTypes=STORE&channels=channel-3`,
      `${who}&channels=channel-3`,
      `${who}&contentTypes=type-3`,
      `${who}&contentKeys=key-3`,
      `${who}&refs=${s.ref}`,
      `${who}&tags=tag-7`,
      `${who}&${month}`,
      `${who}&paymentTypes=hold`,
    ]),
    `addresses=${s.busySender},${s.quietSender}`,
    `addresses=${s.busySender},${s.quietSender}&msgTypes=POST&contentTypes=type-3,type-4`,
    'addresses=0xnobody',
    'owners=0xnobody&msgTypes=INSTANCE',
    `refs=${s.ref}`,
    `refs=${s.ref},ref-none`,
    `refs=${s.ref}&msgTypes=POST&contentTypes=type-3`,
    `contentHashes=${s.fileHash}`,
    `contentHashes=${s.fileHash}&msgTypes=STORE`,
    'contentKeys=key-3',
    'contentKeys=key-3&msgTypes=AGGREGATE',
    'contentKeys=nothing',
    'contentTypes=type-3',
    'contentTypes=type-3,type-4',
    'contentTypes=type-3&channels=channel-3',
    'contentTypes=nothing',
    'contentTypes=vm-function',
    'chains=ETH',
    'chains=SOL',
    'channels=channel-3',
    'channels=channel-3,channel-4',
    'channels=channel-3&msgTypes=POST',
    'channels=channel-3&msgTypes=PROGRAM,INSTANCE,STORE',
    'channels=nothing',
    'tags=tag-7',
    'tags=tag-7,tag-8',
    'tags=tag-7&msgTypes=POST&channels=channel-3',
    'tags=nothing',
    `hashes=${s.postHash}`,
    `hashes=${s.hashes}`,
    'paymentTypes=hold',
    'paymentTypes=credit',
    'paymentTypes=hold&msgTypes=STORE',
    recent,
    `${recent}&sortOrder=1`,
    month,
    `${month}&msgTypes=POST`,
    `${month}&channels=channel-3`,
    `${month}&contentTypes=type-3&sortOrder=1`,
  ]
  const byChain = [
    'sortBy=tx-time',
    'sortBy=tx-time&sortOrder=1',
    `sortBy=tx-time&addresses=${s.quietSender}`,
    'sortBy=tx-time&msgTypes=STORE',
    `startBlock=${s.height}`,
    `endBlock=${s.height}`,
    `startBlock=${s.height}&endBlock=${s.height + 100}`,
    `startBlock=${s.height}&msgTypes=POST`,
  ]
  const gone = ['', '&msgTypes=STORE', '&sortOrder=1', `&${month}`, `&owners=${s.busySender}`]
  const posts = [
    '',
    'pagination=50',
    'pagination=200',
    'sortOrder=1',
    `addresses=${s.busySender}`,
    `addresses=${s.quietSender}&sortOrder=1`,
    `addresses=${s.busySender}&types=type-3`,
    `addresses=${s.busySender}&types=type-3&channels=channel-3`,
    `addresses=${s.busySender}&refs=${s.ref}`,
    `addresses=${s.busySender}&tags=tag-7`,
    'addresses=0xnobody&types=type-3',
    'types=type-3',
    'types=type-3,type-4',
    'types=nothing',
    'types=type-3&channels=channel-3',
    `types=type-3&${month}`,
    `refs=${s.ref}`,
    `refs=${s.ref}&types=type-3`,
    'channels=channel-3',
    'tags=tag-7',
    'tags=tag-7,tag-8',
    'tags=tag-7&types=type-3',
    'tags=nothing',
    `hashes=${s.postHash}`,
    recent,
    `${month}&sortOrder=1`,
  ]
  const chainPosts = ['sortBy=tx-time', 'sortBy=tx-time&sortOrder=1', `sortBy=tx-time&types=type-3`]
  const aggregates = [
    '',
    'sortOrder=1',
    'sortBy=creation_time',
    'keys=key-3',
    'keys=key-3,key-4',
    'keys=nothing',
    `addresses=${s.busySender}`,
    `addresses=${s.busySender}&keys=key-3`,
    `addresses=${s.busySender},${s.quietSender}&sortBy=creation_time`,
    'pagination=500',
  ]
  const history = [
    '',
    'direction=incoming',
    'paymentMethod=credit_expense',
    `startDate=${s.time}`,
    'resourceTypes=PROGRAM',
    `resource=${s.vmHash}`,
    'excludePaymentMethod=token_transfer',
    ...['expiration_date', 'payment_method', 'amount', 'origin', 'tx_hash', 'provider'].map(
      (by) => `sort_by=${by}`,
    ),
  ]
  const lists = (path: string, queries: string[], cursor = true) =>
    queries.map((query) => ({ path, query, cursor }))
  return [
    ...lists('/api/v0/messages.json', messages),
    ...lists('/api/v0/messages.json', byChain, false),
    ...lists(
      '/api/v0/messages.json',
      gone.flatMap((rest) => [`msgStatuses=forgotten${rest}`, `msgStatuses=removed${rest}`]),
      false,
    ),
    ...lists('/api/v0/messages/page/2.json', ['', 'msgTypes=POST'], false),
    ...lists(
      '/api/v0/messages/hashes',
      ['', 'status=processed', 'status=removing', 'sortOrder=1', month, 'hash_only=false'],
      false,
    ),
    ...lists('/api/v1/posts.json', posts),
    ...lists('/api/v0/posts.json', posts),
    ...lists('/api/v0/posts.json', chainPosts, false),
    ...lists('/api/v0/aggregates.json', aggregates),
    ...lists('/api/v0/balances', ['', 'chains=ETH', 'min_balance=100', 'chains=SOL&min_balance=1']),
    ...lists('/api/v0/credit_balances', ['', 'min_balance=1']),
    ...lists(`/api/v0/addresses/${s.storeOwner}/files`, ['', 'sort_order=1', `file_hash=${s.fileHash}`]),
    ...lists(`/api/v0/addresses/${s.creditAccount}/credit_history`, history, false),
    ...lists(
      '/api/v1/addresses/stats.json',
      ['', 'sortBy=store', 'sortBy=post&sortOrder=1', 'addressContains=0xab', 'addressContains=0xABCDEF01'],
      true,
    ),
    ...lists('/api/v0/costs', ['', 'include_details=1', 'payment_type=hold&include_details=1'], false),
    ...lists('/api/v0/programs/on/message', [''], false),
    ...lists('/api/v0/channels/list.json', [''], false),
  ]
}

/** Single things that clients ask for. */
export function clientLookUps(s: Sample): string[] {
  return [
    `/api/v0/messages/${s.postHash}`,
    `/api/v0/messages/${s.postHash}/content`,
    `/api/v0/messages/${s.postHash}/status`,
    `/api/v0/messages/${s.vmHash}/consumed_credits`,
    `/api/v1/messages/${s.postHash}/proof`,
    `/api/v0/aggregates/${s.aggregateOwner}.json`,
    `/api/v0/aggregates/${s.aggregateOwner}.json?keys=${s.aggregateKey}&with_info=true`,
    `/api/v0/authorizations/granted/${s.busySender}.json`,
    '/api/v0/authorizations/received/0xgrantee-ab.json',
    '/api/v0/authorizations/received/0xgrantee-ab.json?types=POST&pagination=200',
    `/api/v0/storage/metadata/${s.fileHash}`,
    `/api/v0/storage/by-message-hash/${s.storeHash}`,
    `/api/v0/storage/by-ref/${s.storeHash}`,
    `/api/v0/storage/by-ref/${s.storeOwner}/name`,
    `/api/v0/storage/count/${s.fileHash}`,
    `/api/v0/addresses/${s.vmOwner}/balance`,
    `/api/v0/addresses/${s.holder}/balance?chain=ETH&include_credit_details=true`,
    `/api/v0/addresses/${s.creditAccount}/credit_history/summary`,
    `/api/v0/addresses/${s.busySender}/post_types`,
    `/api/v0/addresses/${s.busySender}/channels`,
    '/api/v0/addresses/stats.json',
    `/api/v0/addresses/stats.json?addresses[]=${s.busySender}&addresses[]=${s.quietSender}`,
    `/api/v0/price/${s.vmHash}`,
    `/api/v0/price/${s.storeHash}?include_size=true`,
    `/api/v0/costs?address=${s.vmOwner}&include_details=2&include_size=true`,
    `/api/v0/costs?item_hash=${s.vmHash}&payment_type=hold&include_details=2`,
    '/metrics.json',
    '/api/v0/core/node-3/metrics',
    '/api/v0/compute/node-3/metrics?sort=DESC',
  ]
}
