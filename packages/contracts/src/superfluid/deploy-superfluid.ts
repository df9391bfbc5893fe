import {
  type Abi,
  concatHex,
  encodeAbiParameters,
  getAddress,
  keccak256,
  parseAbi,
  parseEther,
  toHex,
} from 'viem'
import { confirmed, connect, type EvmSigner } from '../deploy.ts'
import { superfluidBytecodes } from './generated/bytecodes.ts'

/** What a client needs to know of Superfluid on a chain; addresses in EIP-55. */
export interface DeployedSuperfluid {
  host: `0x${string}`
  /** The agreement that keeps the flows (CFAv1). */
  agreement: `0x${string}`
  /** Its simple face, through which flows are set and read. */
  forwarder: `0x${string}`
  /** A token that streams; the deployer holds all of it. */
  superToken: `0x${string}`
}

const liquidationSeconds = 4n * 3600n
const patricianSeconds = 30n * 60n
const callbackGas = 3_000_000n
const nobody = '0x0000000000000000000000000000000000000000'
const rewards = '0x0000000000000000000000000000000000000045'

const constructorAbi = {
  host: ['bool', 'bool', 'uint64', 'address', 'address', 'address'],
  ofHost: ['address'],
  superToken: ['address', 'address'],
  superTokenFactory: ['address', 'address', 'address', 'address'],
}

const hostAbi = parseAbi([
  'function initialize(address gov)',
  'function getAgreementClass(bytes32 agreementType) view returns (address)',
  'function getSuperTokenFactory() view returns (address)',
])
const ownableAbi = parseAbi(['function transferOwnership(address newOwner)'])
const governanceAbi = parseAbi([
  'function initialize(address host, address rewardAddress, uint256 liquidationPeriod, uint256 patricianPeriod, address[] trustedForwarders)',
  'function registerAgreementClass(address host, address agreementClass)',
  'function enableTrustedForwarder(address host, address superToken, address forwarder)',
  'function updateContracts(address host, address hostNewLogic, address[] agreementClassNewLogics, address superTokenFactoryNewLogic, address poolBeaconNewLogic)',
])
const factoryAbi = parseAbi(['function initializeCustomSuperToken(address customSuperTokenProxy)'])
const pureTokenAbi = parseAbi(['function initialize(string name, string symbol, uint256 initialSupply)'])

/**
 * Puts the real contracts of Superfluid on a chain that has none, such as a local one: host, governance, the constant
 * flow agreement with its forwarder, and a super token of 500 million (protocol 04 §22).
 *
 *     const { forwarder, superToken } = await deploySuperfluid({ rpcUrl, privateKey })
 *
 * @throws {TransactionFailedError} or viem's errors when the chain refuses
 */
export async function deploySuperfluid(signer: EvmSigner): Promise<DeployedSuperfluid> {
  const chain = await Deployer.connect(signer)
  await chain.deployRegistry()
  const { host, governance } = await deployHost(chain)
  const agreement = await deployAgreement(chain, host, governance)
  const forwarder = await chain.deploy('constantFlowForwarder', constructorAbi.ofHost, [host])
  await chain.call(governance, governanceAbi, 'enableTrustedForwarder', [host, nobody, forwarder])
  const superToken = await deploySuperToken(chain, host, governance)
  return { host, agreement, forwarder, superToken }
}

async function deployHost(chain: Deployer) {
  const governance = await chain.deploy('governance')
  const simple = await chain.deploy('simpleForwarder')
  const trusted = await chain.deploy('erc2771Forwarder')
  const acl = await chain.deploy('simpleAcl')
  const host = await chain.deploy('host', constructorAbi.host, [
    true,
    false,
    callbackGas,
    simple,
    trusted,
    acl,
  ])
  await chain.call(simple, ownableAbi, 'transferOwnership', [host])
  await chain.call(trusted, ownableAbi, 'transferOwnership', [host])
  await chain.call(host, hostAbi, 'initialize', [governance])
  const terms = [host, rewards, liquidationSeconds, patricianSeconds, []]
  await chain.call(governance, governanceAbi, 'initialize', terms)
  return { host, governance }
}

/** The host may put a proxy before an agreement: what it names is the address that counts. */
async function deployAgreement(chain: Deployer, host: `0x${string}`, governance: `0x${string}`) {
  const logic = await chain.deploy('constantFlowAgreement', constructorAbi.ofHost, [host])
  await chain.call(governance, governanceAbi, 'registerAgreementClass', [host, logic])
  const type = keccak256(toHex('org.superfluid-finance.agreements.ConstantFlowAgreement.v1'))
  return await chain.read(host, hostAbi, 'getAgreementClass', [type])
}

async function deploySuperToken(chain: Deployer, host: `0x${string}`, governance: `0x${string}`) {
  const logic = await chain.deploy('superToken', constructorAbi.superToken, [host, nobody])
  const factoryLogic = await chain.deploy('superTokenFactory', constructorAbi.superTokenFactory, [
    host,
    logic,
    nobody,
    nobody,
  ])
  await chain.call(governance, governanceAbi, 'updateContracts', [host, nobody, [], factoryLogic, nobody])
  const factory = await chain.read(host, hostAbi, 'getSuperTokenFactory', [])
  const token = await chain.deploy('pureSuperToken')
  await chain.call(factory, factoryAbi, 'initializeCustomSuperToken', [token])
  await chain.call(token, pureTokenAbi, 'initialize', ['Super ALEPH', 'ALEPHx', parseEther('500000000')])
  return token
}

/** Deploys and calls, each waited for. */
class Deployer {
  readonly #client: Awaited<ReturnType<typeof connect>>

  private constructor(client: Awaited<ReturnType<typeof connect>>) {
    this.#client = client
  }

  static async connect(signer: EvmSigner): Promise<Deployer> {
    return new Deployer(await connect(signer))
  }

  async deploy(
    name: keyof typeof superfluidBytecodes,
    types: string[] = [],
    values: unknown[] = [],
  ): Promise<`0x${string}`> {
    const parameters = types.map((type) => ({ type }))
    const data = concatHex([superfluidBytecodes[name], encodeAbiParameters(parameters, values)])
    const receipt = await confirmed(this.#client, name, await this.#client.sendTransaction({ data }))
    return getAddress(receipt.contractAddress!)
  }

  async call(address: `0x${string}`, abi: Abi, functionName: string, args: unknown[]): Promise<void> {
    const hash = await this.#client.writeContract({ address, abi, functionName, args })
    await confirmed(this.#client, functionName, hash)
  }

  async read(address: `0x${string}`, abi: Abi, functionName: string, args: unknown[]) {
    return (await this.#client.readContract({ address, abi, functionName, args })) as `0x${string}`
  }

  /**
   * Super tokens register in the ERC-1820 registry, which stands at one address on every chain: its transaction has a
   * made-up signature, whose sender somebody must give ether first.
   */
  async deployRegistry(): Promise<void> {
    if (await this.#client.getCode({ address: '0x1820a4B7618BdE71Dce8cdc73aAB6C95905faD24' })) return
    const funding = await this.#client.sendTransaction({
      to: '0xa990077c3205cbDf861e17Fa532eeB069cE9fF96',
      value: parseEther('0.08'),
    })
    await confirmed(this.#client, 'ERC-1820 deployer', funding)
    const signature = '1820'.repeat(16)
    const serializedTransaction = concatHex([
      '0xf90a388085174876e800830c35008080b909e5',
      superfluidBytecodes.erc1820Registry,
      `0x1ba0${signature}a0${signature}`,
    ])
    const hash = await this.#client.sendRawTransaction({ serializedTransaction })
    await confirmed(this.#client, 'ERC-1820 registry', hash)
  }
}
