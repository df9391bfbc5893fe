// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {AlephSync} from "./AlephSync.sol";

/// @title How a contract learns that a message of the network exists
library AlephProofs {
    /// @notice What a batch commits about each of its messages.
    struct Message {
        string itemHash;
        string chain;
        string sender;
        string messageType;
    }

    /// @notice When the batch with this root, and the message in it, was confirmed, in epoch seconds; 0 when it was not.
    /// @param emitter whose batches are believed: one of the network's authorised emitters
    function confirmedAt(
        AlephSync sync,
        address emitter,
        bytes32 root,
        Message memory message,
        bytes32[] memory proof
    ) internal view returns (uint256) {
        return MerkleProof.verify(proof, root, leafOf(message)) ? sync.committedAt(emitter, root) : 0;
    }

    function leafOf(Message memory message) internal pure returns (bytes32) {
        bytes memory encoded = abi.encode(message.itemHash, message.chain, message.sender, message.messageType);
        return keccak256(bytes.concat(keccak256(encoded)));
    }

    /// @notice Whether the text is the content of an inline message with this hash.
    function isContentOf(string memory content, string memory itemHash) internal pure returns (bool) {
        bytes memory hexText = bytes(Strings.toHexString(uint256(sha256(bytes(content))), 32));
        bytes memory given = bytes(itemHash);
        if (given.length != 64) return false;
        for (uint256 i = 0; i < 64; i++) {
            if (given[i] != hexText[i + 2]) return false;
        }
        return true;
    }
}
