// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The door between smart contracts and the network (protocol 04 §13)
/// @notice Keeps nothing and refuses nobody: nodes read the events and judge the sender themselves.
contract AlephSync {
    /// @notice A batch of messages, put on chain by a core node to confirm them.
    event SyncEvent(uint256 timestamp, address addr, string message);

    /// @notice A message written by an account or a contract.
    event MessageEvent(uint256 timestamp, address addr, string msgtype, string msgcontent);

    function doEmit(string calldata message) external {
        emit SyncEvent(block.timestamp, msg.sender, message);
    }

    function doMessage(string calldata msgtype, string calldata msgcontent) external {
        emit MessageEvent(block.timestamp, msg.sender, msgtype, msgcontent);
    }
}
