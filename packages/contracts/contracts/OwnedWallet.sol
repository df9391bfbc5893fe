// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// The smallest smart wallet: an address that one key signs for, and that can change the key (ERC-1271).
/// For tests and demonstrations of accounts that are contracts.
contract OwnedWallet is IERC1271 {
    address public owner;

    error NotOwner();

    constructor(address owner_) {
        owner = owner_;
    }

    function setOwner(address next) external {
        if (msg.sender != owner) revert NotOwner();
        owner = next;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address signer, ECDSA.RecoverError problem,) = ECDSA.tryRecover(hash, signature);
        bool isOwners = problem == ECDSA.RecoverError.NoError && signer == owner;
        return isOwners ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
