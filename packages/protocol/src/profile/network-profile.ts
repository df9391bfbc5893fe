import { z } from 'zod'
import { addressKey } from '../identity/address-key.ts'
import { chainCodes } from '../message/chains.ts'
import { registryPolicySchema } from '../registry/registry-policy.ts'
import { rewardPolicySchema } from '../rewards/reward-policy.ts'
import { scoringPolicySchema } from '../scoring/scoring-policy.ts'

export const paymentTypes = ['hold', 'superfluid', 'credit'] as const
export type PaymentType = (typeof paymentTypes)[number]

/** Written in any case, compared in one. */
const address = z
  .string()
  .min(1)
  .max(128)
  .transform((text) => addressKey('ETH', text))
const addresses = z.array(address).max(256)
const name = z.string().min(1).max(128)
const seconds = z.number().nonnegative()
const count = z.int().nonnegative()

const tokenSchema = z.strictObject({
  chain: z.enum(chainCodes),
  evmChainId: z.int().positive(),
  /** ERC-20 contract; absent when the network has none (yet) on this chain. */
  contract: address.optional(),
  decimals: z.int().min(0).max(36).default(18),
  /** First block with a transfer of the token. */
  startBlock: count,
})

/** Where ALEPH streams by the second (protocol 04 §22.1). */
const streamSchema = z.strictObject({
  chain: z.enum(chainCodes),
  evmChainId: z.int().positive(),
  superToken: address,
  /** Superfluid's CFAv1 forwarder. */
  forwarder: address,
})

/** What credits can be bought with: tokens sent to a contract (protocol 04 §19.2). */
const creditSaleSchema = z.strictObject({
  chain: z.enum(chainCodes),
  evmChainId: z.int().positive(),
  /** Whom the tokens are sent to. */
  contract: address,
  tokenContract: address,
  /** Name of the token, such as `USDC`. */
  token: z.string().min(1).max(32),
  decimals: z.int().min(0).max(36),
  /** Decimal text; a dollar is a million credits. */
  creditsPerToken: z.string().regex(/^\d{1,20}(\.\d{1,20})?$/),
  bonusPercent: z.int().min(0).max(100).default(0),
  startBlock: count,
  /** Blocks on top of a payment before credits are given for it: they are never taken back. */
  finalAfterBlocks: count,
})

const syncContractSchema = z.strictObject({
  chain: z.enum(chainCodes),
  evmChainId: z.int().positive(),
  contract: address,
  startBlock: count,
  /** Who is believed when publishing batches of messages on chain. */
  authorizedEmitters: addresses,
  /** Blocks after which the next of several emitters packs; without it any of them does at any time. */
  turnBlocks: z.int().min(10).optional(),
})

/** A contract through which anybody writes messages on a chain (protocol 04 §12, §18.1). */
const messageContractSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('evm'),
    chain: z.enum(chainCodes),
    evmChainId: z.int().positive(),
    contract: address,
    /** Block of the contract's creation. */
    startBlock: count,
  }),
  z.strictObject({ kind: z.literal('tezos'), chain: z.literal('TEZOS'), contract: address }),
  z.strictObject({
    kind: z.literal('solana'),
    chain: z.literal('SOL'),
    /** Address of the program. */
    contract: address,
    /** Slot of the program's creation. */
    startBlock: count,
    /** Whose batches are believed. */
    authorizedEmitters: addresses.default([]),
  }),
])

const cutoffSchema = z.union([seconds, z.null()])

export const networkProfileSchema = z.strictObject({
  name,
  topics: z.strictObject({ messages: name, alive: name, ipfsAlive: name }),
  /** Multiaddrs, each ending in `/p2p/<id>`. */
  bootstrapPeers: z.array(z.string().min(1).max(512)).max(256),
  addresses: z.strictObject({
    /** Owner of the `corechannel` aggregate: the node registry. */
    corechannel: address,
    /** Owner of the `settings`, `pricing` and `vm-images` aggregates. */
    settings: address,
    /** Whose `balances-update` posts are believed. */
    balances: addresses,
    /** Whose credit distributions and expenses are believed. */
    credits: addresses,
    /** Whose scores are believed. */
    scores: addresses,
    /** Who measures nodes: whose metrics posts are kept and scored by. */
    observers: addresses.default([]),
    communityWallet: address,
    rewardsPayer: address,
  }),
  channels: z.strictObject({ default: name, credits: z.array(name).max(16), scoring: name, registry: name }),
  tokens: z.array(tokenSchema).max(64),
  streams: z.array(streamSchema).max(64).default([]),
  creditSales: z.array(creditSaleSchema).max(64).default([]),
  placement: z
    .strictObject({
      /** A better ranked core node has this long to claim a VM before the next one may (protocol 06 §8.5). */
      turnSeconds: seconds,
      /** Compute nodes without a public IPv6 prefix get no VMs (protocol 06 §8.3). */
      requiresIpv6Pool: z.boolean().optional(),
      /**
       * The one who places all VMs, for small networks; absent: all core nodes do, each for its compute nodes. Compute
       * nodes must believe it: it belongs among the allocation signers as well.
       */
      scheduler: address.optional(),
      /** Core nodes tell what their plan comes to at most this often, for others to check; null: never. */
      planSeconds: z.union([z.number().positive(), z.null()]).default(null),
    })
    .default({ turnSeconds: 90, planSeconds: null }),
  /** Bills of machines and files that are paid in credits (protocol 02 §14.3), seconds. */
  billing: z
    .strictObject({
      /** Length of a bill; windows are counted from 1970. */
      windowSeconds: z.int().positive(),
      /** What was published in a window has this long to arrive before its bill is made. */
      graceSeconds: count,
    })
    .default({ windowSeconds: 3_600, graceSeconds: 60 }),
  syncContract: syncContractSchema.optional(),
  /** Beside the sync contract, which carries messages too. */
  messageContracts: z.array(messageContractSchema).max(64).default([]),
  /** Epoch seconds (or a block height) from which a rule holds; null: it never does (protocol 02 §7). */
  cutoffs: z.strictObject({
    /** STORE and on-demand PROGRAM messages before are free. */
    freeStoreAndProgramUntil: z.union([z.strictObject({ time: seconds, ethHeight: count }), z.null()]),
    /** Credit amounts in posts before are multiplied by 10,000. */
    creditPrecisionFrom: cutoffSchema,
    /** INSTANCE and persistent PROGRAM pay in credits from here on. */
    holdAndStreamUntil: cutoffSchema,
    /** STORE, PROGRAM and INSTANCE pay in credits from here on. */
    creditOnlyFrom: cutoffSchema,
  }),
  paymentTypes: z.strictObject({
    store: z.array(z.enum(paymentTypes)),
    program: z.array(z.enum(paymentTypes)),
    persistentProgram: z.array(z.enum(paymentTypes)),
    instance: z.array(z.enum(paymentTypes)),
    vProgram: z.array(z.enum(paymentTypes)),
  }),
  limits: z.strictObject({
    /** Largest file a STORE of item_type `storage` may name, bytes. */
    fileBytes: count,
    /** Largest file that may be uploaded to be found by its CID, bytes. */
    ipfsFileBytes: count.default(1024 ** 3),
    /** Largest CAR of a DAG that a STORE of item_type `ipfs` may name, bytes. */
    carBytes: count.default(4 * 1024 ** 3),
    /** A STORE paid by hold up to this size, bytes, needs no balance. */
    freeFileBytes: count,
    /** How far ahead of a node's clock `content.time` may be, seconds; null: any distance. */
    futureSeconds: cutoffSchema,
  }),
  /** How far senders' clocks are believed ({@link effectiveTime}). */
  clocks: z
    .strictObject({
      /** How much older than its first confirmation a message may say it is, seconds. */
      backdatingSeconds: seconds,
      /** A message that no chain confirms is not older than this, whatever it says; null: no bound. */
      unconfirmedNotBefore: cutoffSchema,
    })
    .default({ backdatingSeconds: 3_600, unconfirmedNotBefore: null }),
  policy: z.strictObject({
    /** Only the owner may write its own `security` aggregate (protocol 01 §13 T1). */
    securitySelfOnly: z.boolean(),
  }),
  registry: registryPolicySchema,
  rewards: rewardPolicySchema,
  scoring: scoringPolicySchema,
  defaultAllocationSigners: addresses,
})

/**
 * Every address, channel, cut-off, topic and contract that makes a network this network. Two nodes with the same
 * profile and the same messages have the same state.
 */
export type NetworkProfile = z.output<typeof networkProfileSchema>

export type MessageContract = NetworkProfile['messageContracts'][number]

export type StreamNetwork = NetworkProfile['streams'][number]
