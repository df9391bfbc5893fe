import type { NetworkProfile } from './network-profile.ts'

/** The production network (protocol 06 §1, 04 §1.2 and §12, 02 §7). */
export const mainnetProfile: NetworkProfile = {
  name: 'mainnet',
  topics: { messages: 'ALEPH-TEST', alive: 'ALIVE', ipfsAlive: 'ALEPH_ALIVE' },
  bootstrapPeers: [
    '/dns/api2.aleph.im/tcp/4025/p2p/QmZkurbY2G2hWay59yiTgQNaQxHSNzKZFt2jbnwJhQcKgV',
    '/dns/api3.aleph.im/tcp/4025/p2p/Qmb5b2ZwJm9pVWrppf3D3iMF1bXbjZhbJTwGvKEBMZNxa2',
  ],
  addresses: {
    corechannel: '0xa1B3bb7d2332383D96b7796B908fB7f7F3c2Be10',
    settings: '0xFba561a84A537fCaa567bb7A2257e7142701ae2A',
    balances: ['0xB34f25f2c935bCA437C061547eA12851d719dEFb', '0xa1B3bb7d2332383D96b7796B908fB7f7F3c2Be10'],
    credits: ['0x2E4454fAD1906c0Ce6e45cBFA05cE898Ac3AC1dC'],
    scores: ['0x4D52380D3191274a04846c89c069E6C3F2Ed94e4'],
    communityWallet: '0x5aBd3258C5492fD378EBC2e0017416E199e5Da56',
    rewardsPayer: '0x3a5CC6aBd06B601f4654035d125F9DD2FC992C25',
  },
  channels: {
    default: 'ALEPH-CLOUDSOLUTIONS',
    credits: ['ALEPH_CREDIT'],
    scoring: 'aleph-scoring',
    registry: 'FOUNDATION',
  },
  tokens: [
    {
      chain: 'ETH',
      evmChainId: 1,
      contract: '0x27702a26126e0B3702af63Ee09aC4d1A084EF628',
      decimals: 18,
      startBlock: 10_939_070,
    },
  ],
  syncContract: {
    chain: 'ETH',
    evmChainId: 1,
    contract: '0x166fd4299364B21c7567e163d85D78d2fb2f8Ad5',
    startBlock: 11_400_000,
    authorizedEmitters: ['0x23eC28598DCeB2f7082Cc3a9D670592DfEd6e0dC'],
  },
  cutoffs: {
    freeStoreAndProgramUntil: { time: 1_743_775_079, ethHeight: 22_196_000 },
    creditPrecisionFrom: 1_769_990_400,
    holdAndStreamUntil: 1_773_187_200,
    creditOnlyFrom: 1_798_761_600,
  },
  paymentTypes: {
    store: ['hold', 'credit'],
    program: ['hold', 'superfluid', 'credit'],
    persistentProgram: ['hold', 'superfluid', 'credit'],
    instance: ['hold', 'superfluid', 'credit'],
    vProgram: ['credit'],
  },
  limits: {
    fileBytes: 100 * 1024 * 1024,
    ipfsFileBytes: 1024 * 1024 * 1024,
    carBytes: 4 * 1024 * 1024 * 1024,
    freeFileBytes: 25 * 1024 * 1024,
    futureSeconds: null,
  },
  // The last cut-off after which long-running machines pay in credits: older privileges need a chain's word.
  clocks: { backdatingSeconds: 3_600, unconfirmedNotBefore: 1_773_187_200 },
  policy: { securitySelfOnly: true },
  registry: {
    source: 'published',
    tags: ['mainnet'],
    nodeThreshold: 199_999,
    stakingThreshold: 9_999,
    nodeActivation: 499_999,
    maxLinked: 8,
    uniqueAddresses: 'host',
    bonusUntilHeight: 12_020_360,
    inactiveBlocks: 90 * 7_130,
    inactiveFromHeight: 20_840_959,
    scoreRoundBlocks: 10,
    discardedScores: [[23_579_375, 23_631_694]],
    balancePlatforms: ['ALEPH_ETH_SABLIER'],
  },
  rewards: {
    blocksPerDay: 7_130,
    wageFrom: 1_777_593_600,
    wageFirstMonth: 900_000,
    wageMonths: 6,
    slashAfterBlocks: 3 * 7_130,
    leastPayout: 0.01,
  },
  defaultAllocationSigners: ['0x2937f62e5F81A88e921f883f8fE56ceCf4A4A44A'],
}
