-- Signatures that a smart wallet took once (ERC-1271, ERC-6492). The contract may change its mind, we do not.
create table wallet_approvals (
  -- sha256 over chain, sender, type, item hash and signature
  approval text primary key,
  -- the block at which the contract was asked
  block_number bigint not null,
  approved_at timestamptz not null default now()
);
