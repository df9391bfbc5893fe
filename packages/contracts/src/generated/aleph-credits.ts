// Generated from contracts/AlephCredits.sol by scripts/compile.ts. Do not edit.

export const alephCreditsAbi = [
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "owner_",
        "type": "address"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "constructor"
  },
  {
    "inputs": [],
    "name": "NothingSent",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "owner",
        "type": "address"
      }
    ],
    "name": "OwnableInvalidOwner",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "account",
        "type": "address"
      }
    ],
    "name": "OwnableUnauthorizedAccount",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "token",
        "type": "address"
      }
    ],
    "name": "SafeERC20FailedOperation",
    "type": "error"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "previousOwner",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "newOwner",
        "type": "address"
      }
    ],
    "name": "OwnershipTransferred",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "from",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "to",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "value",
        "type": "uint256"
      }
    ],
    "name": "Transfer",
    "type": "event"
  },
  {
    "inputs": [],
    "name": "owner",
    "outputs": [
      {
        "internalType": "address",
        "name": "",
        "type": "address"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "renounceOwnership",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "newOwner",
        "type": "address"
      }
    ],
    "name": "transferOwnership",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "contract IERC20",
        "name": "token",
        "type": "address"
      },
      {
        "internalType": "address payable",
        "name": "to",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "amount",
        "type": "uint256"
      }
    ],
    "name": "withdraw",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "stateMutability": "payable",
    "type": "receive"
  }
] as const

export const alephCreditsBytecode = '0x6080604052348015600e575f5ffd5b50604051610480380380610480833981016040819052602b9160b4565b806001600160a01b038116605857604051631e4fbdf760e01b81525f600482015260240160405180910390fd5b605f816065565b505060df565b5f80546001600160a01b038381166001600160a01b0319831681178455604051919092169283917f8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e09190a35050565b5f6020828403121560c3575f5ffd5b81516001600160a01b038116811460d8575f5ffd5b9392505050565b610394806100ec5f395ff3fe608060405260043610610041575f3560e01c8063715018a6146100a35780638da5cb5b146100b9578063d9caed12146100e3578063f2fde38b14610102575f5ffd5b3661009f57345f0361006657604051634454fc5b60e01b815260040160405180910390fd5b604051348152309033907fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef9060200160405180910390a3005b5f5ffd5b3480156100ae575f5ffd5b506100b7610121565b005b3480156100c4575f5ffd5b505f54604080516001600160a01b039092168252519081900360200190f35b3480156100ee575f5ffd5b506100b76100fd366004610334565b610134565b34801561010d575f5ffd5b506100b761011c366004610372565b6101cc565b61012961020e565b6101325f61023a565b565b61013c61020e565b6001600160a01b038316156101645761015f6001600160a01b0384168383610289565b505050565b5f5f836001600160a01b0316836040515f6040518083038185875af1925050503d805f81146101ae576040519150601f19603f3d011682016040523d82523d5f602084013e6101b3565b606091505b5091509150816101c557805160208201fd5b5050505050565b6101d461020e565b6001600160a01b03811661020257604051631e4fbdf760e01b81525f60048201526024015b60405180910390fd5b61020b8161023a565b50565b5f546001600160a01b031633146101325760405163118cdaa760e01b81523360048201526024016101f9565b5f80546001600160a01b038381166001600160a01b0319831681178455604051919092169283917f8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e09190a35050565b61029683838360016102be565b61015f57604051635274afe760e01b81526001600160a01b03841660048201526024016101f9565b60405163a9059cbb60e01b5f8181526001600160a01b038616600452602485905291602083604481808b5af1925060015f51148316610314578383151615610308573d5f823e3d81fd5b5f873b113d1516831692505b60405250949350505050565b6001600160a01b038116811461020b575f5ffd5b5f5f5f60608486031215610346575f5ffd5b833561035181610320565b9250602084013561036181610320565b929592945050506040919091013590565b5f60208284031215610382575f5ffd5b813561038d81610320565b939250505056' as const
