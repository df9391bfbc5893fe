-- Which blockchain transactions carry which messages. Whatever a chain takes back is deleted here too.

-- Transactions in which a contract spoke to the network: batches of messages, or messages themselves.
create table chain_txs (
  hash text primary key,
  chain text not null,
  height bigint not null,
  datetime timestamptz not null,
  publisher text not null,
  protocol text not null,
  protocol_version integer not null,
  content json not null
);
create index chain_txs_height on chain_txs (chain, height);

-- A message may have many confirmations, and may have them before it is known here or while it is pending.
create table message_confirmations (
  item_hash text collate "C" not null,
  tx_hash text not null references chain_txs (hash) on delete cascade,
  primary key (item_hash, tx_hash)
);
create index message_confirmations_tx on message_confirmations (tx_hash);
