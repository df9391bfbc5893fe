// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Where users pay for credits
/// @notice Whoever transfers an accepted token to this contract gets credits from the network, which reads the token's
/// `Transfer` events to this address. So paying needs no approval and no function of ours, and a wallet can do it.
contract AlephCredits is Ownable {
    using SafeERC20 for IERC20;

    error NothingSent();

    /// @notice Ether that was sent here looks like a token's transfer: one filter finds every payment.
    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(address owner_) Ownable(owner_) {}

    receive() external payable {
        if (msg.value == 0) revert NothingSent();
        emit Transfer(msg.sender, address(this), msg.value);
    }

    /// @notice Pays out what came in; the zero address stands for ether.
    function withdraw(IERC20 token, address payable to, uint256 amount) external onlyOwner {
        if (address(token) != address(0)) {
            token.safeTransfer(to, amount);
            return;
        }
        (bool done, bytes memory reason) = to.call{value: amount}("");
        if (!done) {
            assembly {
                revert(add(reason, 32), mload(reason))
            }
        }
    }
}
