// Generated from contracts/AlephSync.sol by scripts/compile.ts. Do not edit.

export const alephSyncAbi = [
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "timestamp",
        "type": "uint256"
      },
      {
        "indexed": false,
        "internalType": "address",
        "name": "addr",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "string",
        "name": "msgtype",
        "type": "string"
      },
      {
        "indexed": false,
        "internalType": "string",
        "name": "msgcontent",
        "type": "string"
      }
    ],
    "name": "MessageEvent",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "timestamp",
        "type": "uint256"
      },
      {
        "indexed": false,
        "internalType": "address",
        "name": "addr",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "string",
        "name": "message",
        "type": "string"
      }
    ],
    "name": "SyncEvent",
    "type": "event"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "emitter",
        "type": "address"
      },
      {
        "internalType": "bytes32",
        "name": "root",
        "type": "bytes32"
      }
    ],
    "name": "committedAt",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "timestamp",
        "type": "uint256"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "string",
        "name": "message",
        "type": "string"
      }
    ],
    "name": "doEmit",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "string",
        "name": "message",
        "type": "string"
      },
      {
        "internalType": "bytes32",
        "name": "root",
        "type": "bytes32"
      }
    ],
    "name": "doEmitBatch",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "string",
        "name": "msgtype",
        "type": "string"
      },
      {
        "internalType": "string",
        "name": "msgcontent",
        "type": "string"
      }
    ],
    "name": "doMessage",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  }
] as const

export const alephSyncBytecode = '0x6080604052348015600e575f5ffd5b506103d88061001c5f395ff3fe608060405234801561000f575f5ffd5b506004361061004a575f3560e01c8063128f72c51461004e5780634eec95eb1461006357806358666c041461009c57806361d66f5c146100af575b5f5ffd5b61006161005c36600461020a565b6100c2565b005b61008a610071366004610276565b5f60208181529281526040808220909352908152205481565b60405190815260200160405180910390f35b6100616100aa3660046102ab565b610109565b6100616100bd3660046102ea565b61014a565b7f548eda6c65f4bd05085e450712b22cfb19c58816b453f69294a94e78db9ab32b4233868686866040516100fb9695949392919061035a565b60405180910390a150505050565b7f2cc768a3de0c950ea2a38e55a9b143cc6fd5a8eec27e36993b542fb16ab591e14233848460405161013e94939291906103a4565b60405180910390a15050565b335f90815260208181526040808320848452909152812054900361018357335f9081526020818152604080832084845290915290204290555b7f2cc768a3de0c950ea2a38e55a9b143cc6fd5a8eec27e36993b542fb16ab591e1423385856040516101b894939291906103a4565b60405180910390a1505050565b5f5f83601f8401126101d5575f5ffd5b50813567ffffffffffffffff8111156101ec575f5ffd5b602083019150836020828501011115610203575f5ffd5b9250929050565b5f5f5f5f6040858703121561021d575f5ffd5b843567ffffffffffffffff811115610233575f5ffd5b61023f878288016101c5565b909550935050602085013567ffffffffffffffff81111561025e575f5ffd5b61026a878288016101c5565b95989497509550505050565b5f5f60408385031215610287575f5ffd5b82356001600160a01b038116811461029d575f5ffd5b946020939093013593505050565b5f5f602083850312156102bc575f5ffd5b823567ffffffffffffffff8111156102d2575f5ffd5b6102de858286016101c5565b90969095509350505050565b5f5f5f604084860312156102fc575f5ffd5b833567ffffffffffffffff811115610312575f5ffd5b61031e868287016101c5565b909790965060209590950135949350505050565b81835281816020850137505f828201602090810191909152601f909101601f19169091010190565b8681526001600160a01b03861660208201526080604082018190525f906103849083018688610332565b8281036060840152610397818587610332565b9998505050505050505050565b8481526001600160a01b03841660208201526060604082018190525f906103ce9083018486610332565b969550505050505056' as const
