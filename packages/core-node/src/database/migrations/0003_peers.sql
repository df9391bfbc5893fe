-- Nodes we heard of: one row for each way to reach one (protocol 04 §6.3).
create table peers (
  peer_id text not null,
  peer_type text not null check (peer_type in ('P2P', 'HTTP', 'IPFS')),
  address text not null,
  last_seen timestamptz not null default now(),
  primary key (peer_id, peer_type)
);

-- How far we have followed each peer's log of messages; everything up to `seq` is in our inbox or beyond.
-- A peer that lost its data has another log id, and is followed from the beginning again.
create table catch_up_cursors (
  peer_id text primary key,
  log_id text not null,
  seq bigint not null,
  updated_at timestamptz not null default now()
);
