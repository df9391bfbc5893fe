-- What contracts said to the network, one row for each event; a row goes when the chain takes its block back.
create table contract_events (
  chain text not null,
  stream text not null,
  -- where reading stands after this event's block, and the event's place in there
  block_number bigint not null,
  position integer not null,
  tx_hash text not null,
  datetime timestamptz not null,
  publisher text not null,
  protocol text not null,
  protocol_version integer not null,
  content json not null,
  -- its messages have gone through the inbox
  settled boolean not null default false,
  -- why they have not: an archive nobody has now, or (code bad_batch) one that cannot be read
  attempts integer not null default 0,
  problem_code text,
  problem text,
  next_attempt timestamptz not null default now(),
  primary key (chain, stream, block_number, position)
);
create index contract_events_due on contract_events (next_attempt) where not settled;
create index contract_events_tx on contract_events (tx_hash);

-- Batches that can not be read, and why; they are tried again once a day.
create view quarantined_batches as
  select chain, tx_hash, content, problem_code, problem, attempts, next_attempt from contract_events
  where not settled and problem_code = 'bad_batch';

-- Batches that this node packed. A batch is done once its event is too deep in the chain to be taken back.
create table packed_batches (
  file_hash text primary key,
  root text not null,
  message_count integer not null,
  created timestamptz not null default now(),
  done boolean not null default false,
  -- the last signed transaction, kept before it is sent so that it can be sent again as it is
  nonce bigint,
  raw_transaction text,
  tx_hash text,
  sent timestamptz
);
create index packed_batches_open on packed_batches (created) where not done;

-- A message is packed once.
create table packed_messages (
  item_hash text collate "C" primary key,
  file_hash text not null references packed_batches (file_hash)
);
