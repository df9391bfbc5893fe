// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {AlephSync} from "./AlephSync.sol";

/// @title How a contract writes messages of the network
/// @notice What a contract writes belongs to the contract's own address. Texts are escaped here; parameters called
/// `json` must be JSON already.
library AlephMessages {
    /// @notice Writes a POST with any JSON value as its content.
    function post(AlephSync sync, string memory postType, string memory json) internal {
        write(sync, "POST", string.concat('"type":"', Strings.escapeJSON(postType), '","content":', json));
    }

    /// @notice Sets fields of one of the contract's aggregates; `json` is an object.
    function aggregate(AlephSync sync, string memory key, string memory json) internal {
        write(sync, "AGGREGATE", string.concat('"key":"', Strings.escapeJSON(key), '","content":', json));
    }

    /// @notice Keeps a file: `itemType` is `storage` (sha256 in hex) or `ipfs` (CID).
    function store(AlephSync sync, string memory itemType, string memory itemHash) internal {
        write(
            sync,
            "STORE",
            string.concat(
                '"item_type":"', Strings.escapeJSON(itemType), '","item_hash":"', Strings.escapeJSON(itemHash), '"'
            )
        );
    }

    /// @notice Publishes a program; `jsonFields` are the fields of its content beside address and time.
    function program(AlephSync sync, string memory jsonFields) internal {
        write(sync, "PROGRAM", jsonFields);
    }

    /// @notice Writes a message of any type; `jsonFields` are `"name":value` pairs with commas between them.
    function write(AlephSync sync, string memory messageType, string memory jsonFields) internal {
        string memory head = string.concat(
            '{"address":"',
            Strings.toChecksumHexString(address(this)),
            '","time":',
            Strings.toString(block.timestamp),
            ","
        );
        sync.doMessage(messageType, string.concat(head, jsonFields, "}"));
    }
}
