export {
  type CoreNodeReady,
  type CoreNodeSettings,
  coreNodeProcess,
  startCoreNode,
} from './core-node-process.ts'
export { Devnet, type DevnetConfig } from './devnet.ts'
export type { JobReport } from './main-job/job-report.ts'
export { runMainJob } from './main-job/main-job.ts'
export type { NetworkFile } from './network/network-file.ts'
export { type Progress, silentProgress, terminalProgress } from './progress.ts'
export { guestCacheDir, up } from './up.ts'
