-- What is read from blockchains. Every row can be taken back: a chain may replace its last blocks.

-- How far each stream of events of a chain has been read; moves in the transaction that stores the events.
create table chain_cursors (
  chain text not null,
  stream text not null,
  -- What the stream was read from (chain id, contract, start block); another source means reading anew.
  source text not null,
  block_number bigint not null,
  block_hash text not null,
  updated_at timestamptz not null default now(),
  primary key (chain, stream)
);

-- Recent blocks at which a stream stopped: the places it can go back to when the chain takes blocks back.
create table chain_blocks (
  chain text not null,
  stream text not null,
  block_number bigint not null,
  block_hash text not null,
  primary key (chain, stream, block_number)
);

-- Transfers of the token, in units of the contract.
create table token_transfers (
  chain text not null,
  block_number bigint not null,
  log_index integer not null,
  transaction_hash text not null,
  sender text not null,
  recipient text not null,
  value numeric(78, 0) not null,
  primary key (chain, block_number, log_index)
);

-- Who holds how many ALEPH, by canonical address. A row exists only for a balance other than zero.
-- `dapp` is null for what an address holds itself; such rows pay, others are only shown (protocol 02 §14.1).
create table balances (
  address text not null,
  chain text not null,
  dapp text,
  balance numeric not null,
  unique nulls not distinct (address, chain, dapp)
);
