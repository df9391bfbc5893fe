// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The ALEPH token (protocol 04 §20)
/// @notice A fixed supply of 500 million, 18 decimals, all of it given to the deployer.
contract AlephToken is ERC20, ERC20Permit {
    /// @notice The two lists of `batchTransfer` differ in length.
    error BatchLengthMismatch(uint256 recipients, uint256 amounts);

    constructor() ERC20("ALEPH", "ALEPH") ERC20Permit("ALEPH") {
        _mint(msg.sender, 500_000_000 ether);
    }

    /// @notice Pays many addresses in one transaction, all or none; this is how rewards are paid (protocol 04 §19.3).
    function batchTransfer(address[] calldata recipients, uint256[] calldata amounts) external returns (bool) {
        if (recipients.length != amounts.length) {
            revert BatchLengthMismatch(recipients.length, amounts.length);
        }
        for (uint256 i = 0; i < recipients.length; i++) {
            _transfer(msg.sender, recipients[i], amounts[i]);
        }
        return true;
    }
}
