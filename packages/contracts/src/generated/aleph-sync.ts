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

export const alephSyncBytecode = '0x6080604052348015600e575f5ffd5b5061027e8061001c5f395ff3fe608060405234801561000f575f5ffd5b5060043610610034575f3560e01c8063128f72c51461003857806358666c041461004d575b5f5ffd5b61004b61004636600461012d565b610060565b005b61004b61005b366004610199565b6100a7565b7f548eda6c65f4bd05085e450712b22cfb19c58816b453f69294a94e78db9ab32b42338686868660405161009996959493929190610200565b60405180910390a150505050565b7f2cc768a3de0c950ea2a38e55a9b143cc6fd5a8eec27e36993b542fb16ab591e1423384846040516100dc949392919061024a565b60405180910390a15050565b5f5f83601f8401126100f8575f5ffd5b50813567ffffffffffffffff81111561010f575f5ffd5b602083019150836020828501011115610126575f5ffd5b9250929050565b5f5f5f5f60408587031215610140575f5ffd5b843567ffffffffffffffff811115610156575f5ffd5b610162878288016100e8565b909550935050602085013567ffffffffffffffff811115610181575f5ffd5b61018d878288016100e8565b95989497509550505050565b5f5f602083850312156101aa575f5ffd5b823567ffffffffffffffff8111156101c0575f5ffd5b6101cc858286016100e8565b90969095509350505050565b81835281816020850137505f828201602090810191909152601f909101601f19169091010190565b8681526001600160a01b03861660208201526080604082018190525f9061022a90830186886101d8565b828103606084015261023d8185876101d8565b9998505050505050505050565b8481526001600160a01b03841660208201526060604082018190525f9061027490830184866101d8565b969550505050505056' as const
