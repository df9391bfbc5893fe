import type { NetworkProfile } from './network-profile.ts'

/** The first account of every anvil and hardhat chain: its key is public, so it only serves on one machine. */
const firstDevelopmentAccount = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'

/** A network on one machine: its own topics, every way of paying allowed for ever, one key behind every role. */
export const devnetProfile: NetworkProfile = {
  name: 'devnet',
  topics: {
    messages: 'ALEPH_DEVNET_MESSAGES',
    alive: 'ALEPH_DEVNET_ALIVE',
    ipfsAlive: 'ALEPH_DEVNET_IPFS_ALIVE',
  },
  bootstrapPeers: [],
  addresses: {
    corechannel: firstDevelopmentAccount,
    settings: firstDevelopmentAccount,
    balances: [firstDevelopmentAccount],
    credits: [firstDevelopmentAccount],
    scores: [firstDevelopmentAccount],
    observers: [],
    communityWallet: firstDevelopmentAccount,
    rewardsPayer: firstDevelopmentAccount,
  },
  channels: {
    default: 'ALEPH-CLOUDSOLUTIONS',
    credits: ['ALEPH_CREDIT'],
    scoring: 'aleph-scoring',
    registry: 'FOUNDATION',
  },
  tokens: [{ chain: 'ETH', evmChainId: 31_337, decimals: 18, startBlock: 0 }],
  creditSales: [],
  placement: { turnSeconds: 15, planSeconds: 60 },
  billing: { windowSeconds: 3_600, graceSeconds: 60 },
  streams: [],
  messageContracts: [],
  cutoffs: {
    freeStoreAndProgramUntil: null,
    creditPrecisionFrom: null,
    holdAndStreamUntil: null,
    creditOnlyFrom: null,
  },
  paymentTypes: {
    store: ['hold', 'credit'],
    program: ['hold', 'superfluid', 'credit'],
    persistentProgram: ['hold', 'superfluid', 'credit'],
    instance: ['hold', 'superfluid', 'credit'],
    vProgram: ['credit'],
  },
  limits: {
    fileBytes: 1024 * 1024 * 1024,
    ipfsFileBytes: 1024 * 1024 * 1024,
    carBytes: 4 * 1024 * 1024 * 1024,
    freeFileBytes: 25 * 1024 * 1024,
    futureSeconds: 300,
  },
  clocks: { backdatingSeconds: 3_600, unconfirmedNotBefore: null },
  policy: { securitySelfOnly: true },
  registry: {
    source: 'computed',
    // Most clients know no other tag than that of the production network.
    tags: ['devnet', 'mainnet'],
    nodeThreshold: 1_000,
    stakingThreshold: 100,
    nodeActivation: 5_000,
    maxLinked: 8,
    uniqueAddresses: 'endpoint',
    bonusUntilHeight: 0,
    inactiveBlocks: 90 * 7_130,
    inactiveFromHeight: 0,
    // Its chain makes no block by itself: the newest scores count.
    scoreRoundBlocks: 0,
    discardedScores: [],
    balancePlatforms: [],
  },
  rewards: {
    blocksPerDay: 7_130,
    // 1 January 2026, and some 1,000 ALEPH a day.
    wageFrom: 1_767_225_600,
    wageFirstMonth: 30_000,
    wageMonths: 1_200,
    slashAfterBlocks: 3 * 7_130,
    finalityBlocks: 0,
    leastPayout: 0.01,
  },
  scoring: {
    measureSeconds: 60,
    periodSeconds: 3_600,
    graceSeconds: 10,
    probeFile: null,
    diagnosticProgram: null,
    releases: { core: [], compute: [] },
  },
  defaultAllocationSigners: [],
}
