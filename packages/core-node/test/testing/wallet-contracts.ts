import solc from 'solc'
import {
  createWalletClient,
  encodeAbiParameters,
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  http,
  keccak256,
  publicActions,
} from 'viem'
import { foundry } from 'viem/chains'

/** A wallet that takes what its owner signed, and a factory that can say beforehand where a wallet will stand. */
const source = `
pragma solidity ^0.8.20;
contract Wallet {
  address public owner;
  constructor(address owner_) { owner = owner_; }
  function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
    require(signature.length == 65, "length");
    address signer = ecrecover(hash, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
    return signer == owner ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
  }
}
contract Factory {
  function create(address owner) external returns (address) {
    return address(new Wallet{salt: 0}(owner));
  }
}`

const factoryAbi = [
  {
    type: 'function',
    name: 'create',
    stateMutability: 'nonpayable',
    inputs: [{ name: 'owner', type: 'address' }],
    outputs: [{ type: 'address' }],
  },
] as const
const walletAbi = [
  { type: 'constructor', stateMutability: 'nonpayable', inputs: [{ name: 'owner_', type: 'address' }] },
] as const

type Hex = `0x${string}`

/** Wallet contracts on a local chain. */
export class WalletContracts {
  readonly #client
  readonly #account: Hex
  readonly #factory: Hex
  readonly #bytecode: Hex

  private constructor(rpcUrl: string, account: Hex, factory: Hex, bytecode: Hex) {
    this.#client = clientOf(rpcUrl)
    this.#account = account
    this.#factory = factory
    this.#bytecode = bytecode
  }

  /** @param account one whose transactions the chain signs itself */
  static async deploy(rpcUrl: string, account: Hex): Promise<WalletContracts> {
    const contracts = compile()
    const client = clientOf(rpcUrl)
    const hash = await client.deployContract({ account, abi: factoryAbi, bytecode: contracts.Factory })
    const { contractAddress } = await client.waitForTransactionReceipt({ hash })
    return new WalletContracts(rpcUrl, account, contractAddress!, contracts.Wallet)
  }

  /** Where the wallet of an owner stands, or will. */
  addressOf(owner: string): Hex {
    const bytecode = encodeDeployData({ abi: walletAbi, bytecode: this.#bytecode, args: [owner as Hex] })
    const salt = `0x${'00'.repeat(32)}` as const
    return getContractAddress({
      opcode: 'CREATE2',
      from: this.#factory,
      salt,
      bytecodeHash: keccak256(bytecode),
    })
  }

  async create(owner: string): Promise<void> {
    const hash = await this.#client.sendTransaction({
      account: this.#account,
      to: this.#factory,
      data: this.#creation(owner),
    })
    await this.#client.waitForTransactionReceipt({ hash })
  }

  /** The owner's signature with what makes the wallet, as clients send it while the wallet does not exist (ERC-6492). */
  beforeDeployment(owner: string, signature: string): Hex {
    const wrapped = encodeAbiParameters(
      [{ type: 'address' }, { type: 'bytes' }, { type: 'bytes' }],
      [this.#factory, this.#creation(owner), signature as Hex],
    )
    return `${wrapped}${'6492'.repeat(16)}`
  }

  #creation(owner: string): Hex {
    return encodeFunctionData({ abi: factoryAbi, functionName: 'create', args: [owner as Hex] })
  }
}

function clientOf(rpcUrl: string) {
  return createWalletClient({ chain: foundry, transport: http(rpcUrl), pollingInterval: 5 }).extend(
    publicActions,
  )
}

function compile(): { Wallet: Hex; Factory: Hex } {
  const input = {
    language: 'Solidity',
    sources: { wallet: { content: source } },
    settings: { evmVersion: 'cancun', outputSelection: { '*': { '*': ['evm.bytecode.object'] } } },
  }
  const { contracts, errors = [] } = JSON.parse(solc.compile(JSON.stringify(input)))
  const failed = errors.find(({ severity }: { severity: string }) => severity === 'error')
  if (failed) throw new Error(failed.formattedMessage)
  const bytecode = (name: string): Hex => `0x${contracts.wallet[name].evm.bytecode.object}`
  return { Wallet: bytecode('Wallet'), Factory: bytecode('Factory') }
}
