export { type DeployedSuperfluid, deploySuperfluid } from './deploy-superfluid.ts'
