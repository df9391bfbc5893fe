// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title The door between smart contracts and the network (protocol 04 §13)
/// @notice Refuses nobody: nodes read the events and judge the sender themselves.
contract AlephSync {
    /// @notice A batch of messages, put on chain by a core node to confirm them.
    event SyncEvent(uint256 timestamp, address addr, string message);

    /// @notice A message written by an account or a contract.
    event MessageEvent(uint256 timestamp, address addr, string msgtype, string msgcontent);

    /// @notice When an emitter first committed the Merkle root of a batch, in epoch seconds; 0 when it never did.
    mapping(address emitter => mapping(bytes32 root => uint256 timestamp)) public committedAt;

    function doEmit(string calldata message) external {
        emit SyncEvent(block.timestamp, msg.sender, message);
    }

    /// @notice Emits a batch, and keeps the root of its messages for contracts to verify proofs against.
    function doEmitBatch(string calldata message, bytes32 root) external {
        if (committedAt[msg.sender][root] == 0) {
            committedAt[msg.sender][root] = block.timestamp;
        }
        emit SyncEvent(block.timestamp, msg.sender, message);
    }

    function doMessage(string calldata msgtype, string calldata msgcontent) external {
        emit MessageEvent(block.timestamp, msg.sender, msgtype, msgcontent);
    }
}
