// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {AlephMessages} from "./AlephMessages.sol";
import {AlephProofs} from "./AlephProofs.sol";
import {AlephSync} from "./AlephSync.sol";

/// @title An example: a contract that speaks to the network, and listens to it
contract Guestbook {
    AlephSync public immutable sync;
    address public immutable emitter;

    constructor(AlephSync sync_, address emitter_) {
        sync = sync_;
        emitter = emitter_;
    }

    /// @notice Every entry becomes a POST of this contract, and its guest a field of its aggregate `guests`.
    function sign(string calldata text) external {
        string memory guest = Strings.toChecksumHexString(msg.sender);
        AlephMessages.post(
            sync,
            "guestbook",
            string.concat('{"guest":"', guest, '","text":"', Strings.escapeJSON(text), '"}')
        );
        AlephMessages.aggregate(sync, "guests", string.concat('{"', guest, '":true}'));
    }

    /// @notice Keeps a file on the network in this contract's name.
    function keep(string calldata itemType, string calldata itemHash) external {
        AlephMessages.store(sync, itemType, itemHash);
    }

    /// @notice When the network confirmed a message; 0 when nothing proves that it did.
    function confirmedAt(bytes32 root, AlephProofs.Message calldata message, bytes32[] calldata proof)
        external
        view
        returns (uint256)
    {
        return AlephProofs.confirmedAt(sync, emitter, root, message, proof);
    }

    /// @notice Whether the text is the content of an inline message with this hash.
    function isContentOf(string calldata content, string calldata itemHash) external pure returns (bool) {
        return AlephProofs.isContentOf(content, itemHash);
    }
}
