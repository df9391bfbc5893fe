export { type DeployedSuperfluid, deploySuperfluid } from './deploy-superfluid.ts'
export { sendSuperTokens } from './send-super-tokens.ts'
