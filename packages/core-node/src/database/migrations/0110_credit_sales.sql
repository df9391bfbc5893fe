-- Tokens that were sent to the network's credit contract, read from the chain; a row goes when the chain takes its
-- block back.
create table credit_purchases (
  chain text not null,
  stream text not null,
  block_number bigint not null,
  log_index integer not null,
  transaction_hash text not null,
  buyer text not null,
  value numeric not null,
  -- of the block, epoch seconds
  time double precision not null,
  -- the post that gives the credits is made
  announced boolean not null default false,
  primary key (chain, stream, block_number, log_index)
);
create index credit_purchases_open on credit_purchases (chain, stream, block_number) where not announced;

-- What was billed for each window of time. A bill is written down before it is published, so that it is always the same.
create table credit_bills (
  window_end bigint primary key,
  -- the post's content as JSON text; null when nobody owed anything
  content text,
  published boolean not null default false
);
