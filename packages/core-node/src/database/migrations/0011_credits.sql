-- Credits, balances and metrics that posts of the network's own publishers make (protocol 02 §8, §14).

-- Every line of every account's history; the truth of the ledger.
create table credit_history (
  credit_ref text collate "C" not null,
  credit_index integer not null,
  address text not null,
  amount numeric(40, 0) not null,
  -- epoch milliseconds; null: never
  expiration_date bigint,
  -- effective time of the post, epoch seconds
  message_timestamp double precision not null,
  place text collate "C" not null,
  price text,
  bonus_amount double precision,
  tx_hash text,
  token text,
  chain text,
  provider text,
  origin text,
  origin_ref text,
  payment_method text,
  expense_count bigint,
  expense_size_mib double precision,
  last_update timestamptz not null default now(),
  primary key (credit_ref, credit_index)
);
create index credit_history_address on credit_history (address, place, credit_index);
create index credit_history_origin on credit_history (coalesce(nullif(origin, ''), origin_ref))
  where payment_method = 'credit_expense';
create index credit_history_updated on credit_history (last_update);

-- What is left of what was given; always the replay of the history.
create table credit_lots (
  address text not null,
  credit_ref text collate "C" not null,
  credit_index integer not null,
  amount_remaining numeric(40, 0) not null,
  expiration_date bigint,
  message_timestamp double precision not null,
  primary key (address, credit_ref, credit_index)
);
create index credit_lots_expiration on credit_lots (expiration_date) where expiration_date is not null;

-- Balances as reported by posts; the report of the greatest height holds, equal heights by hash.
create table reported_balances (
  address text not null,
  chain text not null,
  dapp text,
  balance numeric not null,
  eth_height bigint not null,
  item_hash text collate "C" not null,
  last_update timestamptz not null default now(),
  unique nulls not distinct (address, chain, dapp)
);

-- Measurements of nodes; they go with their message.
create table crn_metrics (
  item_hash text not null,
  node_id text not null,
  measured_at double precision not null,
  base_latency double precision,
  base_latency_ipv4 double precision,
  full_check_latency double precision,
  diagnostic_vm_latency double precision
);
create index crn_metrics_node on crn_metrics (node_id, measured_at);
create index crn_metrics_item_hash on crn_metrics (item_hash);
create table ccn_metrics (
  item_hash text not null,
  node_id text not null,
  measured_at double precision not null,
  base_latency double precision,
  base_latency_ipv4 double precision,
  metrics_latency double precision,
  aggregate_latency double precision,
  file_download_latency double precision,
  pending_messages double precision,
  eth_height_remaining double precision
);
create index ccn_metrics_node on ccn_metrics (node_id, measured_at);
create index ccn_metrics_item_hash on ccn_metrics (item_hash);

-- Posts whose reports count, to read balances again when one of them is taken back.
create table balance_posts (
  item_hash text collate "C" primary key,
  chain text not null,
  dapp text
);
