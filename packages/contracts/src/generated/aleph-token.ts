// Generated from contracts/AlephToken.sol by scripts/compile.ts. Do not edit.

export const alephTokenAbi = [
  {
    "inputs": [],
    "stateMutability": "nonpayable",
    "type": "constructor"
  },
  {
    "inputs": [
      {
        "internalType": "uint256",
        "name": "recipients",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "amounts",
        "type": "uint256"
      }
    ],
    "name": "BatchLengthMismatch",
    "type": "error"
  },
  {
    "inputs": [],
    "name": "ECDSAInvalidSignature",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "uint256",
        "name": "length",
        "type": "uint256"
      }
    ],
    "name": "ECDSAInvalidSignatureLength",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "bytes32",
        "name": "s",
        "type": "bytes32"
      }
    ],
    "name": "ECDSAInvalidSignatureS",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "spender",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "allowance",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "needed",
        "type": "uint256"
      }
    ],
    "name": "ERC20InsufficientAllowance",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "sender",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "balance",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "needed",
        "type": "uint256"
      }
    ],
    "name": "ERC20InsufficientBalance",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "approver",
        "type": "address"
      }
    ],
    "name": "ERC20InvalidApprover",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "receiver",
        "type": "address"
      }
    ],
    "name": "ERC20InvalidReceiver",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "sender",
        "type": "address"
      }
    ],
    "name": "ERC20InvalidSender",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "spender",
        "type": "address"
      }
    ],
    "name": "ERC20InvalidSpender",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "uint256",
        "name": "deadline",
        "type": "uint256"
      }
    ],
    "name": "ERC2612ExpiredSignature",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "signer",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "owner",
        "type": "address"
      }
    ],
    "name": "ERC2612InvalidSigner",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "account",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "currentNonce",
        "type": "uint256"
      }
    ],
    "name": "InvalidAccountNonce",
    "type": "error"
  },
  {
    "inputs": [],
    "name": "InvalidShortString",
    "type": "error"
  },
  {
    "inputs": [
      {
        "internalType": "string",
        "name": "str",
        "type": "string"
      }
    ],
    "name": "StringTooLong",
    "type": "error"
  },
  {
    "anonymous": false,
    "inputs": [
      {
        "indexed": true,
        "internalType": "address",
        "name": "owner",
        "type": "address"
      },
      {
        "indexed": true,
        "internalType": "address",
        "name": "spender",
        "type": "address"
      },
      {
        "indexed": false,
        "internalType": "uint256",
        "name": "value",
        "type": "uint256"
      }
    ],
    "name": "Approval",
    "type": "event"
  },
  {
    "anonymous": false,
    "inputs": [],
    "name": "EIP712DomainChanged",
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
    "name": "DOMAIN_SEPARATOR",
    "outputs": [
      {
        "internalType": "bytes32",
        "name": "",
        "type": "bytes32"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "owner",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "spender",
        "type": "address"
      }
    ],
    "name": "allowance",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "",
        "type": "uint256"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "spender",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "value",
        "type": "uint256"
      }
    ],
    "name": "approve",
    "outputs": [
      {
        "internalType": "bool",
        "name": "",
        "type": "bool"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "account",
        "type": "address"
      }
    ],
    "name": "balanceOf",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "",
        "type": "uint256"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address[]",
        "name": "recipients",
        "type": "address[]"
      },
      {
        "internalType": "uint256[]",
        "name": "amounts",
        "type": "uint256[]"
      }
    ],
    "name": "batchTransfer",
    "outputs": [
      {
        "internalType": "bool",
        "name": "",
        "type": "bool"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "decimals",
    "outputs": [
      {
        "internalType": "uint8",
        "name": "",
        "type": "uint8"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "eip712Domain",
    "outputs": [
      {
        "internalType": "bytes1",
        "name": "fields",
        "type": "bytes1"
      },
      {
        "internalType": "string",
        "name": "name",
        "type": "string"
      },
      {
        "internalType": "string",
        "name": "version",
        "type": "string"
      },
      {
        "internalType": "uint256",
        "name": "chainId",
        "type": "uint256"
      },
      {
        "internalType": "address",
        "name": "verifyingContract",
        "type": "address"
      },
      {
        "internalType": "bytes32",
        "name": "salt",
        "type": "bytes32"
      },
      {
        "internalType": "uint256[]",
        "name": "extensions",
        "type": "uint256[]"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "name",
    "outputs": [
      {
        "internalType": "string",
        "name": "",
        "type": "string"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "owner",
        "type": "address"
      }
    ],
    "name": "nonces",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "",
        "type": "uint256"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "owner",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "spender",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "value",
        "type": "uint256"
      },
      {
        "internalType": "uint256",
        "name": "deadline",
        "type": "uint256"
      },
      {
        "internalType": "uint8",
        "name": "v",
        "type": "uint8"
      },
      {
        "internalType": "bytes32",
        "name": "r",
        "type": "bytes32"
      },
      {
        "internalType": "bytes32",
        "name": "s",
        "type": "bytes32"
      }
    ],
    "name": "permit",
    "outputs": [],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "symbol",
    "outputs": [
      {
        "internalType": "string",
        "name": "",
        "type": "string"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [],
    "name": "totalSupply",
    "outputs": [
      {
        "internalType": "uint256",
        "name": "",
        "type": "uint256"
      }
    ],
    "stateMutability": "view",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "to",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "value",
        "type": "uint256"
      }
    ],
    "name": "transfer",
    "outputs": [
      {
        "internalType": "bool",
        "name": "",
        "type": "bool"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  },
  {
    "inputs": [
      {
        "internalType": "address",
        "name": "from",
        "type": "address"
      },
      {
        "internalType": "address",
        "name": "to",
        "type": "address"
      },
      {
        "internalType": "uint256",
        "name": "value",
        "type": "uint256"
      }
    ],
    "name": "transferFrom",
    "outputs": [
      {
        "internalType": "bool",
        "name": "",
        "type": "bool"
      }
    ],
    "stateMutability": "nonpayable",
    "type": "function"
  }
] as const

export const alephTokenBytecode = '0x610160604052348015610010575f5ffd5b5060405180604001604052806005815260200164082988aa0960db1b81525080604051806040016040528060018152602001603160f81b81525060405180604001604052806005815260200164082988aa0960db1b81525060405180604001604052806005815260200164082988aa0960db1b815250816003908161009591906103b9565b5060046100a282826103b9565b5050506100b48261017260201b60201c565b610120526100c181610172565b61014052815160208084019190912060e052815190820120610100524660a05261014d60e05161010051604080517f8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f60208201529081019290925260608201524660808201523060a08201525f9060c00160405160208183030381529060405280519060200120905090565b60805250503060c0525061016d336b019d971e4fe8401e740000006101b8565b6104f4565b5f5f829050601f815111156101a5578260405163305a27a960e01b815260040161019c9190610477565b60405180910390fd5b80516101b0826104ac565b179392505050565b6001600160a01b0382166101e15760405163ec442f0560e01b81525f600482015260240161019c565b6101ec5f83836101f0565b5050565b6001600160a01b03831661021a578060025f82825461020f91906104cf565b9091555061028a9050565b6001600160a01b0383165f908152602081905260409020548181101561026c5760405163391434e360e21b81526001600160a01b0385166004820152602481018290526044810183905260640161019c565b6001600160a01b0384165f9081526020819052604090209082900390555b6001600160a01b0382166102a6576002805482900390556102c4565b6001600160a01b0382165f9081526020819052604090208054820190555b816001600160a01b0316836001600160a01b03167fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef8360405161030991815260200190565b60405180910390a3505050565b634e487b7160e01b5f52604160045260245ffd5b600181811c9082168061033e57607f821691505b60208210810361035c57634e487b7160e01b5f52602260045260245ffd5b50919050565b601f8211156103b457828211156103b457805f5260205f20601f840160051c602085101561038d57505f5b90810190601f840160051c035f5b818110156103b0575f8382015560010161039b565b5050505b505050565b81516001600160401b038111156103d2576103d2610316565b6103e6816103e0845461032a565b84610362565b6020601f821160018114610418575f83156104015750848201515b5f19600385901b1c1916600184901b178455610470565b5f84815260208120601f198516915b828110156104475787850151825560209485019460019092019101610427565b508482101561046457868401515f19600387901b60f8161c191681555b505060018360011b0184555b5050505050565b602081525f82518060208401528060208501604085015e5f604082850101526040601f19601f83011684010191505092915050565b8051602080830151919081101561035c575f1960209190910360031b1b16919050565b808201808211156104ee57634e487b7160e01b5f52601160045260245ffd5b92915050565b60805160a05160c05160e051610100516101205161014051610f3f6105455f395f61079f01525f61077401525f61071d01525f6106f501525f61065001525f61067a01525f6106a40152610f3f5ff3fe608060405234801561000f575f5ffd5b50600436106100e5575f3560e01c80637ecebe001161008857806395d89b411161006357806395d89b41146101cf578063a9059cbb146101d7578063d505accf146101ea578063dd62ed3e146101ff575f5ffd5b80637ecebe001461018e57806384b0196e146101a157806388d695b2146101bc575f5ffd5b806323b872dd116100c357806323b872dd1461013c578063313ce5671461014f5780633644e5151461015e57806370a0823114610166575f5ffd5b806306fdde03146100e9578063095ea7b31461010757806318160ddd1461012a575b5f5ffd5b6100f1610237565b6040516100fe9190610c29565b60405180910390f35b61011a610115366004610c5d565b6102c7565b60405190151581526020016100fe565b6002545b6040519081526020016100fe565b61011a61014a366004610c85565b6102e0565b604051601281526020016100fe565b61012e610303565b61012e610174366004610cbf565b6001600160a01b03165f9081526020819052604090205490565b61012e61019c366004610cbf565b610311565b6101a961032e565b6040516100fe9796959493929190610cd8565b61011a6101ca366004610db6565b610370565b6100f1610407565b61011a6101e5366004610c5d565b610416565b6101fd6101f8366004610e22565b610423565b005b61012e61020d366004610e8f565b6001600160a01b039182165f90815260016020908152604080832093909416825291909152205490565b60606003805461024690610ec0565b80601f016020809104026020016040519081016040528092919081815260200182805461027290610ec0565b80156102bd5780601f10610294576101008083540402835291602001916102bd565b820191905f5260205f20905b8154815290600101906020018083116102a057829003601f168201915b5050505050905090565b5f336102d4818585610559565b60019150505b92915050565b5f336102ed85828561056b565b6102f88585856105e7565b506001949350505050565b5f61030c610644565b905090565b6001600160a01b0381165f908152600760205260408120546102da565b5f6060805f5f5f606061033f61076d565b610347610798565b604080515f80825260208201909252600f60f81b9b939a50919850469750309650945092509050565b5f8382146103a0576040516381b5b20760e01b815260048101859052602481018390526044015b60405180910390fd5b5f5b848110156103fb576103f3338787848181106103c0576103c0610ef8565b90506020020160208101906103d59190610cbf565b8686858181106103e7576103e7610ef8565b905060200201356105e7565b6001016103a2565b50600195945050505050565b60606004805461024690610ec0565b5f336102d48185856105e7565b834211156104475760405163313c898160e11b815260048101859052602401610397565b5f7f6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c98888886104928c6001600160a01b03165f90815260076020526040902080546001810190915590565b6040805160208101969096526001600160a01b0394851690860152929091166060840152608083015260a082015260c0810186905260e0016040516020818303038152906040528051906020012090505f6104ec826107c3565b90505f6104fb828787876107ef565b9050896001600160a01b0316816001600160a01b031614610542576040516325c0072360e11b81526001600160a01b0380831660048301528b166024820152604401610397565b61054d8a8a8a610559565b50505050505050505050565b610566838383600161081b565b505050565b6001600160a01b038381165f908152600160209081526040808320938616835292905220545f198110156105e157818110156105d357604051637dc7a0d960e11b81526001600160a01b03841660048201526024810182905260448101839052606401610397565b6105e184848484035f61081b565b50505050565b6001600160a01b03831661061057604051634b637e8f60e11b81525f6004820152602401610397565b6001600160a01b0382166106395760405163ec442f0560e01b81525f6004820152602401610397565b6105668383836108ed565b5f306001600160a01b037f00000000000000000000000000000000000000000000000000000000000000001614801561069c57507f000000000000000000000000000000000000000000000000000000000000000046145b156106c657507f000000000000000000000000000000000000000000000000000000000000000090565b61030c604080517f8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f60208201527f0000000000000000000000000000000000000000000000000000000000000000918101919091527f000000000000000000000000000000000000000000000000000000000000000060608201524660808201523060a08201525f9060c00160405160208183030381529060405280519060200120905090565b606061030c7f0000000000000000000000000000000000000000000000000000000000000000610a13565b606061030c7f0000000000000000000000000000000000000000000000000000000000000000610a13565b5f6102da6107cf610644565b8360405161190160f01b8152600281019290925260228201526042902090565b5f5f5f5f6107ff88888888610a50565b92509250925061080f8282610b18565b50909695505050505050565b6001600160a01b0384166108445760405163e602df0560e01b81525f6004820152602401610397565b6001600160a01b03831661086d57604051634a1406b160e11b81525f6004820152602401610397565b6001600160a01b038085165f90815260016020908152604080832093871683529290522082905580156105e157826001600160a01b0316846001600160a01b03167f8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925846040516108df91815260200190565b60405180910390a350505050565b6001600160a01b038316610917578060025f82825461090c9190610f0c565b909155506109879050565b6001600160a01b0383165f90815260208190526040902054818110156109695760405163391434e360e21b81526001600160a01b03851660048201526024810182905260448101839052606401610397565b6001600160a01b0384165f9081526020819052604090209082900390555b6001600160a01b0382166109a3576002805482900390556109c1565b6001600160a01b0382165f9081526020819052604090208054820190555b816001600160a01b0316836001600160a01b03167fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef83604051610a0691815260200190565b60405180910390a3505050565b60605f610a1f83610bd4565b6040805160208082528183019092529192505f91906020820181803683375050509182525060208101929092525090565b5f80807f7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0841115610a8957505f91506003905082610b0e565b604080515f808252602082018084528a905260ff891692820192909252606081018790526080810186905260019060a0016020604051602081039080840390855afa158015610ada573d5f5f3e3d5ffd5b5050604051601f1901519150506001600160a01b038116610b0557505f925060019150829050610b0e565b92505f91508190505b9450945094915050565b5f826003811115610b2b57610b2b610f2b565b03610b34575050565b6001826003811115610b4857610b48610f2b565b03610b665760405163f645eedf60e01b815260040160405180910390fd5b6002826003811115610b7a57610b7a610f2b565b03610b9b5760405163fce698f760e01b815260048101829052602401610397565b6003826003811115610baf57610baf610f2b565b03610bd0576040516335e2f38360e21b815260048101829052602401610397565b5050565b5f60ff8216601f8111156102da57604051632cd44ac360e21b815260040160405180910390fd5b5f81518084528060208401602086015e5f602082860101526020601f19601f83011685010191505092915050565b602081525f610c3b6020830184610bfb565b9392505050565b80356001600160a01b0381168114610c58575f5ffd5b919050565b5f5f60408385031215610c6e575f5ffd5b610c7783610c42565b946020939093013593505050565b5f5f5f60608486031215610c97575f5ffd5b610ca084610c42565b9250610cae60208501610c42565b929592945050506040919091013590565b5f60208284031215610ccf575f5ffd5b610c3b82610c42565b60ff60f81b8816815260e060208201525f610cf660e0830189610bfb565b8281036040840152610d088189610bfb565b606084018890526001600160a01b038716608085015260a0840186905283810360c0850152845180825260208087019350909101905f5b81811015610d5d578351835260209384019390920191600101610d3f565b50909b9a5050505050505050505050565b5f5f83601f840112610d7e575f5ffd5b50813567ffffffffffffffff811115610d95575f5ffd5b6020830191508360208260051b8501011115610daf575f5ffd5b9250929050565b5f5f5f5f60408587031215610dc9575f5ffd5b843567ffffffffffffffff811115610ddf575f5ffd5b610deb87828801610d6e565b909550935050602085013567ffffffffffffffff811115610e0a575f5ffd5b610e1687828801610d6e565b95989497509550505050565b5f5f5f5f5f5f5f60e0888a031215610e38575f5ffd5b610e4188610c42565b9650610e4f60208901610c42565b95506040880135945060608801359350608088013560ff81168114610e72575f5ffd5b9699959850939692959460a0840135945060c09093013592915050565b5f5f60408385031215610ea0575f5ffd5b610ea983610c42565b9150610eb760208401610c42565b90509250929050565b600181811c90821680610ed457607f821691505b602082108103610ef257634e487b7160e01b5f52602260045260245ffd5b50919050565b634e487b7160e01b5f52603260045260245ffd5b808201808211156102da57634e487b7160e01b5f52601160045260245ffd5b634e487b7160e01b5f52602160045260245ffd' as const
